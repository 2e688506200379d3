//! The tables: which of them describe a survey, which are written while it is taken, and who refers to whom.
//!
//! Serves the cache (object keys, foreign keys), the router (read-only models) and the counters (names).
//! Must not know SQL.

/// One table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[expect(missing_docs, reason = "each variant is a table of schema.sql, which describes it")]
pub enum Model {
    Organization,
    School,
    Survey,
    SurveyPage,
    Question,
    AnswerScale,
    AnswerChoice,
    SkipRule,
    SurveyText,
    AppSetting,
    Respondent,
    ResponseSession,
    ResponseItem,
    PageVisit,
    AdminUser,
    Role,
    RosterUpload,
    RosterRow,
    SurveyUpload,
    ExportJob,
    AuditLog,
    HttpSession,
}

use Model::{
    AdminUser, AnswerChoice, AnswerScale, AppSetting, AuditLog, ExportJob, HttpSession, Organization,
    PageVisit, Question, Respondent, ResponseItem, ResponseSession, Role, RosterRow, RosterUpload, School,
    SkipRule, Survey, SurveyPage, SurveyText, SurveyUpload,
};

/// The models that describe a survey: they do not change while it is taken, so they are cached, and the hot
/// views may read them from the replica even when a respondent is pinned to the primary.
pub const DESCRIBING: &[Model] = &[
    Organization,
    School,
    Survey,
    SurveyPage,
    Question,
    AnswerScale,
    AnswerChoice,
    SkipRule,
    SurveyText,
    AppSetting,
];

impl Model {
    /// All of them.
    pub const ALL: &[Model] = &[
        Organization,
        School,
        Survey,
        SurveyPage,
        Question,
        AnswerScale,
        AnswerChoice,
        SkipRule,
        SurveyText,
        AppSetting,
        Respondent,
        ResponseSession,
        ResponseItem,
        PageVisit,
        AdminUser,
        Role,
        RosterUpload,
        RosterRow,
        SurveyUpload,
        ExportJob,
        AuditLog,
        HttpSession,
    ];

    /// The table's name.
    pub fn table(self) -> &'static str {
        match self {
            Organization => "organization",
            School => "school",
            Survey => "survey",
            SurveyPage => "survey_page",
            Question => "question",
            AnswerScale => "answer_scale",
            AnswerChoice => "answer_choice",
            SkipRule => "skip_rule",
            SurveyText => "survey_text",
            AppSetting => "app_setting",
            Respondent => "respondent",
            ResponseSession => "response_session",
            ResponseItem => "response_item",
            PageVisit => "page_visit",
            AdminUser => "admin_user",
            Role => "role",
            RosterUpload => "roster_upload",
            RosterRow => "roster_row",
            SurveyUpload => "survey_upload",
            ExportJob => "export_job",
            AuditLog => "audit_log",
            HttpSession => "http_session",
        }
    }

    /// The table called `name`.
    pub fn from_table(name: &str) -> Option<Model> {
        Model::ALL.iter().copied().find(|m| m.table() == name)
    }

    /// Whether rows of this model go into the cache at all. `response_item` must never: a bulk INSERT tells
    /// nobody which rows it made.
    pub fn is_cached(self) -> bool {
        DESCRIBING.contains(&self)
    }

    /// Columns that refer to other cached models: saving a row here also empties what is remembered about
    /// those rows, and saving one of those what is remembered about the rows here.
    pub fn foreign_keys(self) -> &'static [(&'static str, Model)] {
        match self {
            School => &[("organization_id", Organization)],
            Survey => &[("organization_id", Organization)],
            SurveyPage | SurveyText => &[("survey_id", Survey)],
            Question => &[("page_id", SurveyPage), ("scale_id", AnswerScale)],
            AnswerChoice => &[("scale_id", AnswerScale)],
            SkipRule => &[("page_id", SurveyPage)],
            _ => &[],
        }
    }

    /// Whether a new row empties every cached query of this model whatever the switch says. An empty result
    /// belongs to no row, so the first skip rule of a page, or a survey whose address somebody tried before it
    /// was uploaded, would stay invisible until the timeout.
    pub fn always_whole_model(self) -> bool {
        matches!(self, SkipRule | Survey | SurveyPage | Question)
    }
}
