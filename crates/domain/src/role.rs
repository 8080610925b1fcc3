//! Roles and what each may do, as data.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// What a member is in a space. Later ones rank higher.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Role {
    /// Reads.
    Observer,
    /// Reads and writes, and may let others in by countersigning.
    Student,
    /// Runs the rooms.
    Teacher,
    /// Answers for the space.
    Owner,
}

impl Role {
    /// All, highest first.
    pub const ALL: [Self; 4] = [Self::Owner, Self::Teacher, Self::Student, Self::Observer];

    /// Its name, as on the wire and in commands.
    pub fn name(self) -> &'static str {
        match self {
            Self::Observer => "observer",
            Self::Student => "student",
            Self::Teacher => "teacher",
            Self::Owner => "owner",
        }
    }

    /// Whether this role may do that, policy aside.
    pub fn may(self, permission: Permission) -> bool {
        TABLE
            .iter()
            .any(|row| row.permission == permission && row.roles.contains(&self))
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The text is not a role.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a role; roles are owner, teacher, student and observer")]
pub struct UnknownRole(pub String);

impl FromStr for Role {
    type Err = UnknownRole;

    fn from_str(text: &str) -> Result<Self, UnknownRole> {
        let wanted = text.trim().to_lowercase();
        Self::ALL
            .into_iter()
            .find(|role| role.name() == wanted)
            .ok_or_else(|| UnknownRole(text.to_owned()))
    }
}

/// Something a member may or may not do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Permission {
    /// Read the rooms open to them.
    Read,
    /// Write, react, attach, report.
    Write,
    /// Countersign the joining of others.
    Countersign,
    /// Create rooms.
    CreateRooms,
    /// Open shared pages, and edit those not open to students.
    EditPages,
    /// Invite and admit students and observers, revoke such invites.
    InviteStudents,
    /// Delete others' messages.
    DeleteOthers,
    /// Remove students and observers.
    RemoveStudents,
    /// Set the rules of the space.
    SetPolicy,
    /// Name and remove teachers, rotate keys.
    NameTeachers,
    /// Name co-owners, hand over.
    NameOwners,
}

/// One line of the table of permissions.
#[derive(Clone, Copy, Debug)]
pub struct Row {
    /// What it is about.
    pub permission: Permission,
    /// In words.
    pub words: &'static str,
    /// Who may.
    pub roles: &'static [Role],
}

/// Who may do what. The fold of control feeds and the check of every record read this table and nothing else.
pub const TABLE: &[Row] = {
    use Role::{Observer, Owner, Student, Teacher};
    const ALL: &[Role] = &[Owner, Teacher, Student, Observer];
    const WRITERS: &[Role] = &[Owner, Teacher, Student];
    const STAFF: &[Role] = &[Owner, Teacher];
    const OWNERS: &[Role] = &[Owner];
    const fn row(permission: Permission, words: &'static str, roles: &'static [Role]) -> Row {
        Row {
            permission,
            words,
            roles,
        }
    }
    &[
        row(Permission::Read, "read rooms open to them", ALL),
        row(Permission::Write, "write, react, attach, report", WRITERS),
        row(Permission::Countersign, "countersign a join", WRITERS),
        row(Permission::CreateRooms, "create rooms", STAFF),
        row(
            Permission::EditPages,
            "open shared pages, and edit those not open to students",
            STAFF,
        ),
        row(
            Permission::InviteStudents,
            "invite and admit students",
            STAFF,
        ),
        row(Permission::DeleteOthers, "delete others' messages", STAFF),
        row(Permission::RemoveStudents, "remove students", STAFF),
        row(Permission::SetPolicy, "set the rules of the space", STAFF),
        row(
            Permission::NameTeachers,
            "name and remove teachers, rotate keys",
            OWNERS,
        ),
        row(Permission::NameOwners, "name co-owners, hand over", OWNERS),
    ]
};

/// The table as Markdown, for the documentation.
pub fn table() -> String {
    let mut text =
        String::from("| may | owner | teacher | student | observer |\n|---|---|---|---|---|\n");
    for row in TABLE {
        text.push_str("| ");
        text.push_str(row.words);
        for role in Role::ALL {
            text.push_str(if row.roles.contains(&role) {
                " | ✓"
            } else {
                " | –"
            });
        }
        text.push_str(" |\n");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_as_published() {
        insta::assert_snapshot!(table(), @r"
        | may | owner | teacher | student | observer |
        |---|---|---|---|---|
        | read rooms open to them | ✓ | ✓ | ✓ | ✓ |
        | write, react, attach, report | ✓ | ✓ | ✓ | – |
        | countersign a join | ✓ | ✓ | ✓ | – |
        | create rooms | ✓ | ✓ | – | – |
        | open shared pages, and edit those not open to students | ✓ | ✓ | – | – |
        | invite and admit students | ✓ | ✓ | – | – |
        | delete others' messages | ✓ | ✓ | – | – |
        | remove students | ✓ | ✓ | – | – |
        | set the rules of the space | ✓ | ✓ | – | – |
        | name and remove teachers, rotate keys | ✓ | – | – | – |
        | name co-owners, hand over | ✓ | – | – | – |
        ");
    }

    #[test]
    fn a_higher_role_may_all_that_a_lower_may() {
        for row in TABLE {
            for pair in Role::ALL.windows(2) {
                assert!(
                    pair[0].may(row.permission) || !pair[1].may(row.permission),
                    "{row:?}"
                );
            }
        }
    }

    #[test]
    fn names_round_trip() {
        for role in Role::ALL {
            assert_eq!(role.name().to_uppercase().parse::<Role>().unwrap(), role);
        }
        assert_eq!(
            "boss".parse::<Role>().unwrap_err().to_string(),
            "\"boss\" is not a role; roles are owner, teacher, student and observer"
        );
    }
}
