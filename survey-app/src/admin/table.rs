//! The models as the administration shows them: labels, columns, what may be changed.
//!
//! Serves `crud`. Data only; adding a line here adds seven addresses.

use crate::models::Model;

/// A model with lists, forms and exports.
#[derive(Debug)]
pub struct Table {
    /// The model.
    pub model: Model,
    /// Many of them.
    pub label: &'static str,
    /// One of them.
    pub one: &'static str,
    /// Its columns beside `id`.
    pub columns: &'static [Column],
    /// What an administrator may do.
    pub access: Access,
}

/// What an administrator may do with rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Make, change, delete.
    Edit,
    /// The same, but only with the right to manage users.
    Users,
    /// Look.
    Look,
}

/// A column.
#[derive(Debug)]
pub struct Column {
    /// In the database.
    pub name: &'static str,
    /// On the page.
    pub label: &'static str,
    /// What it holds.
    pub kind: Holds,
}

/// What a column holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Holds {
    /// A number.
    Number,
    /// One line.
    Line,
    /// Several lines.
    Lines,
    /// Yes or no.
    Flag,
    /// A point in time, set by the database.
    Time,
    /// A row of another model.
    Row(Model),
    /// A row of another model, or none.
    RowOrNone(Model),
    /// One of a few words.
    Word(&'static [&'static str]),
    /// A password: typed, stored as its hash, never shown.
    Password,
}

const fn column(name: &'static str, label: &'static str, kind: Holds) -> Column {
    Column { name, label, kind }
}

const fn table(
    model: Model,
    label: &'static str,
    one: &'static str,
    access: Access,
    columns: &'static [Column],
) -> Table {
    Table { model, label, one, columns, access }
}

use Access::{Edit, Look, Users};
use Holds::{Flag, Line, Lines, Number, Password, Row, RowOrNone, Time, Word};

/// Every model of the administration.
pub const TABLES: &[Table] = &[
    table(
        Model::Survey,
        "Surveys",
        "Survey",
        Edit,
        &[
            column("title", "Title", Line),
            column("slug", "Address", Line),
            column("organization_id", "Organization", Row(Model::Organization)),
            column("is_open", "Open", Flag),
        ],
    ),
    table(
        Model::SurveyPage,
        "Pages",
        "Page",
        Edit,
        &[
            column("survey_id", "Survey", Row(Model::Survey)),
            column("number", "Number", Number),
            column("title", "Title", Line),
        ],
    ),
    table(
        Model::Question,
        "Questions",
        "Question",
        Edit,
        &[
            column("page_id", "Page", Row(Model::SurveyPage)),
            column("number", "Number", Number),
            column("body", "Question", Lines),
            column("scale_id", "Scale (none: free text)", RowOrNone(Model::AnswerScale)),
            column("required", "Required", Flag),
        ],
    ),
    table(Model::AnswerScale, "Scales", "Scale", Edit, &[column("name", "Name", Line)]),
    table(
        Model::AnswerChoice,
        "Choices",
        "Choice",
        Edit,
        &[
            column("scale_id", "Scale", Row(Model::AnswerScale)),
            column("number", "Number", Number),
            column("value", "Value", Line),
            column("label", "Label", Line),
        ],
    ),
    table(
        Model::SkipRule,
        "Skip rules",
        "Skip rule",
        Edit,
        &[
            column("page_id", "Page", Row(Model::SurveyPage)),
            column("question_id", "Question", Row(Model::Question)),
            column("value", "When the answer is", Line),
            column("to_page", "Go on with page", Number),
        ],
    ),
    table(
        Model::SurveyText,
        "Texts",
        "Text",
        Edit,
        &[
            column("survey_id", "Survey", Row(Model::Survey)),
            column("place", "Place", Word(&["welcome", "privacy", "thanks"])),
            column("body", "Text", Lines),
        ],
    ),
    table(
        Model::Organization,
        "Organizations",
        "Organization",
        Edit,
        &[column("name", "Name", Line), column("contact", "Contact", Line)],
    ),
    table(
        Model::School,
        "Schools",
        "School",
        Edit,
        &[
            column("name", "Name", Line),
            column("town", "Town", Line),
            column("organization_id", "Organization", Row(Model::Organization)),
        ],
    ),
    table(
        Model::AppSetting,
        "Settings",
        "Setting",
        Edit,
        &[column("name", "Name", Line), column("value", "Value", Lines)],
    ),
    table(
        Model::Respondent,
        "Respondents",
        "Respondent",
        Look,
        &[
            column("person", "Person", Line),
            column("survey_id", "Survey", Row(Model::Survey)),
            column("school_id", "School", Row(Model::School)),
            column("logins", "Logins", Number),
            column("last_login_at", "Last login", Time),
        ],
    ),
    table(
        Model::ResponseSession,
        "Sessions",
        "Session",
        Look,
        &[
            column("respondent_id", "Respondent", Row(Model::Respondent)),
            column("survey_id", "Survey", Row(Model::Survey)),
            column("school_id", "School", Row(Model::School)),
            column("current_page", "Page", Number),
            column("started_at", "Started", Time),
            column("completed_at", "Completed", Time),
        ],
    ),
    table(
        Model::PageVisit,
        "Page visits",
        "Page visit",
        Look,
        &[
            column("session_id", "Session", Row(Model::ResponseSession)),
            column("page_id", "Page", Row(Model::SurveyPage)),
            column("action", "Action", Line),
            column("at", "When", Time),
        ],
    ),
    table(
        Model::SurveyUpload,
        "Survey uploads",
        "Survey upload",
        Look,
        &[
            column("survey_id", "Survey", RowOrNone(Model::Survey)),
            column("file_name", "File", Line),
            column("uploaded_by", "By", Line),
            column("at", "When", Time),
        ],
    ),
    table(
        Model::RosterUpload,
        "Roster uploads",
        "Roster upload",
        Look,
        &[
            column("survey_id", "Survey", Row(Model::Survey)),
            column("file_name", "File", Line),
            column("status", "Status", Word(&["waiting", "working", "done", "failed"])),
            column("message", "Result", Line),
            column("uploaded_by", "By", Line),
            column("at", "When", Time),
        ],
    ),
    table(
        Model::RosterRow,
        "Roster lines",
        "Roster line",
        Look,
        &[
            column("roster_upload_id", "Upload", Row(Model::RosterUpload)),
            column("line", "Line", Number),
            column("person", "Person", Line),
            column("school", "School", Line),
        ],
    ),
    table(
        Model::ExportJob,
        "Exports",
        "Export",
        Look,
        &[
            column("survey_id", "Survey", Row(Model::Survey)),
            column("status", "Status", Word(&["waiting", "working", "done", "failed"])),
            column("message", "Result", Line),
            column("requested_by", "By", Line),
            column("at", "When", Time),
        ],
    ),
    table(
        Model::Role,
        "Roles",
        "Role",
        Users,
        &[
            column("name", "Name", Line),
            column("may_edit", "May edit", Flag),
            column("may_export", "May export", Flag),
            column("may_manage_users", "May manage users", Flag),
        ],
    ),
    table(
        Model::AdminUser,
        "Users",
        "User",
        Users,
        &[
            column("name", "Name", Line),
            column("email", "E-mail", Line),
            column("role_id", "Role", Row(Model::Role)),
            column("password_hash", "Password", Password),
            column("active", "Active", Flag),
        ],
    ),
    table(
        Model::AuditLog,
        "Audit log",
        "Audit entry",
        Look,
        &[column("who", "Who", Line), column("what", "What", Line), column("at", "When", Time)],
    ),
];

impl Table {
    /// The table of a model.
    pub fn of(model: Model) -> Option<&'static Table> {
        TABLES.iter().find(|t| t.model == model)
    }

    /// The column that names a row best: its first line of text.
    pub fn naming_column(&self) -> &'static str {
        self.columns.iter().find(|c| matches!(c.kind, Line | Lines)).map_or("id", |c| c.name)
    }
}

impl Column {
    /// How the column is selected: as text that is fit to be shown.
    pub fn expression(&self) -> String {
        match self.kind {
            Time => format!("to_char({}, 'YYYY-MM-DD HH24:MI') AS {}", self.name, self.name),
            Password => format!("'' AS {}", self.name),
            _ => self.name.to_string(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_name_columns_that_exist() {
        let schema = include_str!("../schema.sql");
        for table in TABLES {
            let create = format!("CREATE TABLE {} (", table.model.table());
            let line = schema.lines().find(|l| l.starts_with(&create)).unwrap();
            for column in table.columns {
                assert!(
                    line.contains(&format!(" {} ", column.name))
                        || line.contains(&format!("({} ", column.name)),
                    "{}.{}",
                    table.model.table(),
                    column.name
                );
            }
        }
    }
}
