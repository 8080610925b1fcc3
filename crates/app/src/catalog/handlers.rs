//! The commands.

use std::sync::Arc;

use artel_catalog::{Attributes, Field, normal, score::Points};
use artel_store::{Store, catalog as rows};

use super::{View, enrich, export, import, switched_off_in};
use crate::{
    api::{Command, Event, Handle, catalog as api},
    error::{AppError, Code},
    session::Session,
};

/// Products of a page of the list, unless said otherwise.
const PAGE: u32 = 100;

/// Most products of a page of the list.
const MOST: u32 = 1_000;

/// Brands that are counted one by one.
const BRANDS: u32 = 100;

/// Runs `work` with the store off the async threads.
async fn blocking<T: Send + 'static>(
    session: &Session,
    work: impl FnOnce(&Arc<Store>) -> Result<T, AppError> + Send + 'static,
) -> Result<T, AppError> {
    let store = Arc::clone(session.core.store());
    tokio::task::spawn_blocking(move || work(&store)).await?
}

impl Handle<api::CatalogImport> for Session {
    async fn handle(
        &self,
        command: api::CatalogImport,
    ) -> Result<<api::CatalogImport as Command>::Reply, AppError> {
        // One at a time: each is as large as its file.
        let turn = self.catalog_imports.acquire().await;
        let _turn = turn.map_err(|reason| AppError::internal(&reason))?;
        let imported = blocking(self, move |store| import::import(store, &command)).await?;
        self.core.tell(Event::Catalog);
        Ok(imported)
    }
}

/// No product has the brand; these are the largest.
pub(super) fn unknown_brand(brand: &str, largest: Vec<(String, u64)>) -> AppError {
    let named = largest.into_iter().map(|(brand, _)| brand);
    let named: Vec<_> = named.filter(|brand| !brand.is_empty()).collect();
    let hint = if named.is_empty() {
        "No product has a brand; leave --brand out.".to_owned()
    } else {
        format!("The largest brands are {}", named.join(", "))
    };
    let message = format!("no product has the brand \"{brand}\"");
    AppError::new(Code::NotFound, message, hint).param("brand", brand)
}

impl Handle<api::CatalogEnrich> for Session {
    async fn handle(
        &self,
        command: api::CatalogEnrich,
    ) -> Result<<api::CatalogEnrich as Command>::Reply, AppError> {
        let job = enrich::job(&command)?;
        let brand = command.brand.clone();
        let given = self
            .core
            .read(move |connection| {
                let products = rows::count(connection)?;
                let brand_groups = match &brand {
                    Some(brand) => rows::brand_groups(connection, &normal::key(brand))?,
                    None => 1,
                };
                Ok((
                    products,
                    brand_groups,
                    rows::brands(connection, 5)?,
                    rows::given(connection)?,
                ))
            })
            .await?;
        let (products, brand_groups, brands, given) = given;
        if products == 0 {
            return Err(AppError::new(
                Code::NotFound,
                "there are no products yet",
                "Import some: artel catalog import FILE",
            ));
        }
        if brand_groups == 0 {
            return Err(unknown_brand(&command.brand.unwrap_or_default(), brands));
        }
        Ok(api::EnrichStarted {
            job: self.jobs.submit(job).await?,
            switched_off: switched_off_in(given),
        })
    }
}

impl Handle<api::CatalogStats> for Session {
    async fn handle(
        &self,
        _: api::CatalogStats,
    ) -> Result<<api::CatalogStats as Command>::Reply, AppError> {
        self.core.read(statistics).await
    }
}

fn statistics(
    connection: &artel_store::Connection,
) -> Result<api::CatalogStatistics, artel_store::StoreError> {
    let products = rows::count(connection)?;
    let counts = rows::counts(connection)?;
    let mut without = rows::reasons(connection)?;
    let with_result = counts.documents + without.iter().map(|(_, count)| count).sum::<u64>();
    if products > with_result {
        without.push(("not_enriched".to_owned(), products - with_result));
    }
    Ok(api::CatalogStatistics {
        products,
        documents: counts.documents,
        without,
        outdated: counts.outdated,
        brands: rows::brands(connection, BRANDS)?,
        mean_recommendations: if counts.documents == 0 {
            0.0
        } else {
            counts.recommendations as f64 / counts.documents as f64
        },
        switched_off: if products == 0 {
            Vec::new()
        } else {
            switched_off_in(rows::given(connection)?)
        },
    })
}

impl Handle<api::CatalogProducts> for Session {
    async fn handle(
        &self,
        command: api::CatalogProducts,
    ) -> Result<<api::CatalogProducts as Command>::Reply, AppError> {
        let key = |text: Option<String>| {
            text.map(|text| normal::key(&text))
                .filter(|key| !key.is_empty())
        };
        let filter = rows::Filter {
            search: key(command.search),
            brand_key: key(command.brand),
        };
        let limit = command.limit.unwrap_or(PAGE).min(MOST);
        let (listed, total) = self
            .core
            .read(move |connection| rows::list(connection, &filter, command.offset, limit))
            .await?;
        Ok(api::ProductPage {
            products: listed.iter().map(row).collect(),
            total,
        })
    }
}

fn row(listed: &rows::Listed) -> api::ProductRow {
    let view = View(&listed.stored.product);
    let (reason, detail) = listed.reason.clone().unzip();
    api::ProductRow {
        vendor_code: view.text(Field::VendorCode).to_owned(),
        name: view.text(Field::Name).to_owned(),
        brand: view.text(Field::Brand).to_owned(),
        sku: Some(view.text(Field::Sku).to_owned()).filter(|sku| !sku.is_empty()),
        recommendations: listed.recommendations,
        reason,
        detail,
    }
}

impl Handle<api::CatalogDocument> for Session {
    async fn handle(
        &self,
        command: api::CatalogDocument,
    ) -> Result<<api::CatalogDocument as Command>::Reply, AppError> {
        let code = command.vendor_code.clone();
        let found = self
            .core
            .read(move |connection| {
                let Some(stored) = rows::member_by_code(connection, &code)? else {
                    return Ok(None);
                };
                let result = rows::result(connection, stored.id)?;
                Ok(Some((
                    rows::recommendations(connection, stored.id)?,
                    result,
                    stored,
                )))
            })
            .await?;
        let Some((recommendations, result, stored)) = found else {
            return Err(AppError::new(
                Code::NotFound,
                format!(
                    "there is no product with the vendor code \"{}\"",
                    command.vendor_code
                ),
                "Check the code. Products come by: artel catalog import FILE",
            )
            .param("vendor_code", &command.vendor_code));
        };
        let view = View(&stored.product);
        let fields = Field::ALL
            .iter()
            .map(|field| (field.name().to_owned(), view.text(*field).to_owned()));
        let some = |text: &String| Some(text.clone()).filter(|text| !text.is_empty());
        Ok(api::ProductDocument {
            fields: fields.filter(|(_, value)| !value.is_empty()).collect(),
            recommendations: recommendations.into_iter().map(recommendation).collect(),
            document: result.as_ref().and_then(|result| some(&result.document)),
            reason: result.as_ref().and_then(|result| some(&result.reason)),
            detail: result.as_ref().and_then(|result| some(&result.detail)),
            outdated: result.as_ref().is_some_and(|result| result.outdated),
            left_out: result.map(|result| result.left_out).unwrap_or_default(),
        })
    }
}

fn recommendation(kept: rows::Recommendation) -> api::RecommendationInfo {
    let points = |hundredths| Points::from_hundredths(hundredths).value();
    api::RecommendationInfo {
        vendor_code: kept.vendor_code,
        name: kept.name,
        score: points(kept.score),
        terms: kept
            .terms
            .into_iter()
            .map(|(term, gave)| (term, points(gave)))
            .collect(),
    }
}

impl Handle<api::CatalogExport> for Session {
    async fn handle(
        &self,
        command: api::CatalogExport,
    ) -> Result<<api::CatalogExport as Command>::Reply, AppError> {
        blocking(self, move |store| export::export(store, &command)).await
    }
}

impl Handle<api::CatalogValidate> for Session {
    async fn handle(
        &self,
        command: api::CatalogValidate,
    ) -> Result<<api::CatalogValidate as Command>::Reply, AppError> {
        blocking(self, move |store| export::validate(store, command.limit)).await
    }
}
