//! Enrichment as a kind of job: recommendations and a document for every product.
//!
//! An item is a page of products in the order of group and id. For each group that the page
//! touches, the group is streamed past the page's products; so memory depends on the size of a page,
//! never on the catalogue's, and a group of any size is searched as a whole.

use std::{fmt, str::FromStr, sync::Arc};

use artel_catalog::{
    Excluded, Found, GroupKey, Preset, Reason, Search,
    rich::{Severity, lint},
    score::{Traits, Words, explain},
    showcase::{self, Rolls},
};
use artel_jobs::{
    Attempt, Failure, Item, Job, Listing, NewItem, NewJob, Outcome, Run, Tally, Work,
};
use artel_store::{Store, StoreError, catalog as rows};
use serde::{Deserialize, Serialize};

use super::View;
use crate::{
    api::catalog as api,
    error::{AppError, Code},
};

/// Products of a page.
const PAGE: u32 = 512;

/// Candidates read at a time.
const CANDIDATES: u32 = 512;

/// Memory of an item in bytes: a page, its picks and a stretch of candidates with long texts.
const MEMORY: u64 = 24 << 20;

/// Name of the kind.
const KIND: &str = "catalog";

/// Version of [`Parameters`].
const VERSION: u32 = 1;

/// What decides the results of a job.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Parameters {
    /// Only this brand, as it is compared.
    brand: Option<String>,
    /// At most this many products.
    limit: Option<u64>,
    preset: String,
    template: String,
    /// Also what is current.
    all: bool,
    rolls: Rolls,
}

/// Makes a job of a command, or says what is wrong with it.
pub(super) fn job(command: &api::CatalogEnrich) -> Result<NewJob, AppError> {
    let bad = |reason: &dyn fmt::Display, hint: &str| {
        AppError::new(Code::BadArguments, reason.to_string(), hint)
    };
    let preset = command.preset.as_deref().unwrap_or("standard");
    Preset::built_in(preset)
        .map_err(|reason| bad(&reason, "Name one of them, or leave --preset out."))?;
    let template = command.template.as_deref().unwrap_or(showcase::NAME);
    if template != showcase::NAME {
        return Err(bad(
            &format!(
                "there is no template \"{template}\"; there is {}",
                showcase::NAME
            ),
            "Leave --template out.",
        ));
    }
    let rolls = Rolls::new(command.header_image.clone(), command.footer_image.clone())
        .map_err(|reason| bad(&reason, "Give the address of a picture, or leave it out."))?;
    let parameters = Parameters {
        brand: command.brand.as_deref().map(artel_catalog::normal::key),
        limit: command.limit,
        preset: preset.to_owned(),
        template: template.to_owned(),
        all: command.all,
        rolls,
    };
    Ok(NewJob {
        kind: KIND.to_owned(),
        version: VERSION,
        title: match &command.brand {
            Some(brand) => format!("Rich Content: {brand}, {preset}, {template}"),
            None => format!("Rich Content: {preset}, {template}"),
        },
        params: serde_json::to_value(parameters).map_err(|reason| AppError::internal(&reason))?,
        out: None,
        backend: "cpu".to_owned(),
    })
}

/// The kind of job.
pub(crate) struct CatalogWork {
    store: Arc<Store>,
}

impl CatalogWork {
    /// Works on the products of this store.
    pub(crate) fn new(store: Arc<Store>) -> Self {
        Self { store }
    }
}

impl Work for CatalogWork {
    fn kind(&self) -> &'static str {
        KIND
    }

    fn version(&self) -> u32 {
        VERSION
    }

    fn open(&self, job: &Job) -> Result<Arc<dyn Run>, Failure> {
        let parameters: Parameters =
            serde_json::from_value(job.params.clone()).map_err(|reason| {
                Failure::job(format!("the job's parameters cannot be read: {reason}"))
            })?;
        let rules = Preset::built_in(&parameters.preset)
            .map_err(|reason| Failure::job(reason.to_string()))?;
        let settings =
            settings(&rules, &parameters).map_err(|reason| Failure::job(reason.to_string()))?;
        Ok(Arc::new(Enrichment {
            store: Arc::clone(&self.store),
            parameters,
            rules,
            settings,
        }))
    }
}

/// Hash of everything beside the products that decides a document.
fn settings(rules: &Preset, parameters: &Parameters) -> Result<[u8; 32], serde_json::Error> {
    let decisive = (
        showcase::VERSION,
        &parameters.template,
        rules,
        &parameters.rolls,
    );
    Ok(*blake3::hash(&serde_json::to_vec(&decisive)?).as_bytes())
}

/// A page as the input of an item: the numbers of its products in the listing, then the places of
/// the first and the last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct PageKey {
    from: u64,
    to: u64,
    first: (i64, i64),
    last: (i64, i64),
}

impl fmt::Display for PageKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            from,
            to,
            first,
            last,
        } = self;
        write!(
            f,
            "products {from}-{to} ({}.{}-{}.{})",
            first.0, first.1, last.0, last.1
        )
    }
}

impl FromStr for PageKey {
    type Err = Failure;

    fn from_str(text: &str) -> Result<Self, Failure> {
        let place = |text: &str| {
            let (group, id) = text.split_once('.')?;
            Some((group.parse().ok()?, id.parse().ok()?))
        };
        let read = || {
            let (numbers, places) = text
                .strip_prefix("products ")?
                .strip_suffix(')')?
                .split_once(" (")?;
            let (from, to) = numbers.split_once('-')?;
            let (first, last) = places.split_once('-')?;
            Some(Self {
                from: from.parse().ok()?,
                to: to.parse().ok()?,
                first: place(first)?,
                last: place(last)?,
            })
        };
        read().ok_or_else(|| Failure::item(format!("\"{text}\" is not a page of products")))
    }
}

/// What the store refuses it refuses every page, so the job waits until that is mended.
fn failed(reason: StoreError) -> Failure {
    match reason {
        StoreError::Misuse(_) | StoreError::Sqlite(_) => Failure::item(reason.to_string()),
        _ => Failure::job(reason.to_string()),
    }
}

struct Enrichment {
    store: Arc<Store>,
    parameters: Parameters,
    rules: Preset,
    settings: [u8; 32],
}

impl Run for Enrichment {
    fn list(&self, after: Option<&str>) -> Result<Listing, Failure> {
        let (mut place, mut listed) = match after {
            None => ((0, 0), 0),
            Some(after) => {
                let page: PageKey = after.parse()?;
                (page.last, page.to)
            }
        };
        let (store, brand, limit) = (
            Arc::clone(&self.store),
            self.parameters.brand.clone(),
            self.parameters.limit,
        );
        Ok(Box::new(std::iter::from_fn(move || {
            let left = limit.map_or(u64::MAX, |limit| limit.saturating_sub(listed));
            let size = u32::try_from(left).unwrap_or(PAGE).min(PAGE);
            if size == 0 {
                return None;
            }
            let page = match store
                .read(|connection| rows::page_after(connection, place, brand.as_deref(), size))
            {
                Ok(page) => page?,
                Err(reason) => return Some(Err(failed(reason))),
            };
            let key = PageKey {
                from: listed + 1,
                to: listed + page.count,
                first: page.first,
                last: page.last,
            };
            (place, listed) = (key.last, key.to);
            Some(Ok(NewItem {
                input: key.to_string(),
                target: String::new(),
                units: page.count,
            }))
        })))
    }

    fn memory(&self, _item: &Item) -> u64 {
        MEMORY
    }

    fn time_limit(&self) -> std::time::Duration {
        // A page of a group with a million products.
        std::time::Duration::from_mins(30)
    }

    fn perform(&self, item: &Item, attempt: &Attempt) -> Result<Outcome, Failure> {
        let key: PageKey = item.input.parse()?;
        let page = rows::Page {
            first: key.first,
            last: key.last,
            count: key.to - key.from + 1,
        };
        let brand = self.parameters.brand.as_deref();
        let members = self
            .store
            .read(|connection| rows::page_members(connection, &page, brand, &self.settings))
            .map_err(failed)?;
        let mut tally = Tally::default();
        let mut results = Vec::new();
        let mut faults = Vec::new();
        for group in members.chunk_by(|one, next| one.stored.group == next.stored.group) {
            let (due, current): (Vec<_>, Vec<_>) = group
                .iter()
                .partition(|member| self.parameters.all || !member.current);
            tally.skipped += current.len() as u64;
            for made in self.group(&due, attempt)? {
                match made {
                    Ok(result) => results.push(result),
                    Err(fault) => faults.push(fault),
                }
            }
        }
        if attempt.given_up() {
            return Err(stopped());
        }
        tally.done = results.len() as u64;
        tally.failed = faults.len() as u64;
        let settings = self.settings;
        if !results.is_empty() {
            self.store
                .write(move |transaction| rows::save(transaction, &settings, &results))
                .map_err(failed)?;
        }
        Ok(Outcome {
            skipped: tally.done + tally.failed == 0,
            method: KIND.to_owned() + ":cpu",
            tally: Some(tally),
            note: (!faults.is_empty()).then(|| faults.join("\n")),
            ..Outcome::default()
        })
    }
}

fn stopped() -> Failure {
    Failure::item("it took longer than it may; the page was left")
}

/// A result, or why a document that was built is not valid.
type Made = Result<rows::NewResult, String>;

impl Enrichment {
    /// Results for products of one group.
    fn group(&self, due: &[&rows::Member], attempt: &Attempt) -> Result<Vec<Made>, Failure> {
        let Some(first) = due.first() else {
            return Ok(Vec::new());
        };
        if let Some(field) = GroupKey::of(&View(&first.stored.product)).unknown() {
            let reason = Reason::Unknown(field);
            let detail = format!("its {field} is not given");
            return Ok(due
                .iter()
                .map(|member| Ok(without(member, reason, detail.clone())))
                .collect());
        }
        let mut search = Search::new(&self.rules);
        for member in due {
            search.product(member.stored.id, &View(&member.stored.product));
        }
        let group = first.stored.group;
        let mut after = 0;
        loop {
            let candidates = self
                .store
                .read(|connection| rows::members(connection, group, after, CANDIDATES))
                .map_err(failed)?;
            let Some(last) = candidates.last() else { break };
            after = last.id;
            for candidate in &candidates {
                search.candidate(candidate.id, &View(&candidate.product));
            }
            if attempt.given_up() {
                return Err(stopped());
            }
        }
        let found = search.finish();
        self.store
            .read(|connection| {
                due.iter()
                    .zip(found)
                    .map(|(member, found)| self.result(connection, member, &found))
                    .collect()
            })
            .map_err(failed)
    }

    fn result(
        &self,
        connection: &artel_store::Connection,
        member: &rows::Member,
        found: &Found,
    ) -> Result<Made, StoreError> {
        if let Some(reason) = found.reason(&self.rules) {
            return Ok(Ok(without(member, reason, self.words(reason, found))));
        }
        let mut picks = Vec::with_capacity(found.picks.len());
        for pick in &found.picks {
            // A product that was taken away meanwhile raises the revision; this is done again then.
            if let Some(stored) = rows::member_by_id(connection, pick.id)? {
                picks.push(stored);
            }
        }
        let subject = View(&member.stored.product);
        let mut words = Words::default();
        let traits = Traits::learn(&subject, &self.rules, &mut words);
        let recommendations = picks.iter().map(|pick| {
            let (score, terms) = explain(
                &self.rules,
                &traits,
                &Traits::find(&View(&pick.product), &self.rules, &words),
            );
            rows::NewRecommendation {
                product: pick.id,
                score: score.hundredths(),
                terms: terms
                    .into_iter()
                    .map(|(term, points)| (term.name().to_owned(), points.hundredths()))
                    .collect(),
            }
        });
        let recommendations = recommendations.collect();
        let views: Vec<_> = picks.iter().map(|pick| View(&pick.product)).collect();
        let fault = |reason: &dyn fmt::Display| {
            Ok(Err(format!(
                "{}: {reason}",
                member.stored.product.vendor_code
            )))
        };
        let built = match showcase::build(&views, &self.parameters.rolls) {
            Ok(built) => built,
            Err(reason) => return fault(&reason),
        };
        let document = match serde_json::to_string(&built.document) {
            Ok(document) => document,
            Err(reason) => return fault(&reason),
        };
        if let Some(finding) = lint(&document)
            .into_iter()
            .find(|finding| finding.severity == Severity::Fault)
        {
            return fault(&finding);
        }
        Ok(Ok(rows::NewResult {
            document,
            left_out: built.left_out.iter().map(ToString::to_string).collect(),
            recommendations,
            ..unmade(member)
        }))
    }

    /// The reason in words, with the candidates that were left out.
    fn words(&self, reason: Reason, found: &Found) -> String {
        if reason == Reason::Alone {
            return "no other product has the same type, gender and brand".to_owned();
        }
        let Excluded {
            stock,
            barcode,
            picture,
            threshold,
        } = found.excluded;
        let counts = [
            (stock, "not in stock".to_owned()),
            (barcode, "without barcode".to_owned()),
            (picture, "without picture".to_owned()),
            (threshold, format!("below {} points", self.rules.threshold)),
        ];
        let left_out: Vec<_> = counts
            .iter()
            .filter(|(count, _)| *count > 0)
            .map(|(count, why)| format!("{count} {why}"))
            .collect();
        let usable = found.picks.len();
        let (all, fewest) = (found.candidates, self.rules.min_recommendations);
        let left_out = if left_out.is_empty() {
            String::new()
        } else {
            format!(": {}", left_out.join(", "))
        };
        format!(
            "{usable} of {all} similar products can be recommended, {fewest} are needed{left_out}"
        )
    }
}

fn unmade(member: &rows::Member) -> rows::NewResult {
    rows::NewResult {
        product: member.stored.id,
        group: member.stored.group,
        revision: member.revision,
        ..rows::NewResult::default()
    }
}

fn without(member: &rows::Member, reason: Reason, detail: String) -> rows::NewResult {
    rows::NewResult {
        reason: reason.code().to_owned(),
        detail,
        ..unmade(member)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_are_read_back() {
        let page = PageKey {
            from: 1,
            to: 512,
            first: (1, 7),
            last: (3, 90),
        };
        assert_eq!(page.to_string(), "products 1-512 (1.7-3.90)");
        assert_eq!(page.to_string().parse(), Ok(page));
        for wrong in [
            "",
            "products",
            "products 1-2 (1.2-3)",
            "products a-b (1.1-1.1)",
        ] {
            assert!(wrong.parse::<PageKey>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn what_the_store_refuses_pauses_the_job() {
        use artel_jobs::Scope;
        let unusable = StoreError::Unusable {
            path: None,
            reason: "disk I/O error".to_owned(),
        };
        let cases = [
            (unusable, Scope::Job),
            (StoreError::Busy, Scope::Job),
            (StoreError::Full { path: None }, Scope::Job),
            (StoreError::Misuse("a page of another job"), Scope::Item),
        ];
        for (error, scope) in cases {
            let words = error.to_string();
            assert_eq!(failed(error).scope, scope, "{words}");
        }
    }

    #[test]
    fn columns_match_the_fields() {
        let names: Vec<_> = artel_catalog::Field::ALL
            .iter()
            .skip(1)
            .map(|field| field.name())
            .collect();
        assert_eq!(names, rows::COLUMNS);
        assert_eq!(
            crate::catalog::derive(&rows::Product::default()).group,
            rows::GroupKey::default()
        );
    }
}
