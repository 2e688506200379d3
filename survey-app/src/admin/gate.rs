//! Who may enter the administration, and what they may do there.

use super::pages::{self, Frame, LoginPage};
use crate::app::App;
use crate::models::Model;
use crate::scope::{Memory, Scope, Select, View};
use crate::session::{Admin, Session};
use crate::trouble::Trouble;
use crate::web::{Answer, Visit};
use anyhow::Result;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Redirect};
use std::sync::Arc;

/// An administrator with the rights of their role, as they are now.
#[derive(Clone, Debug)]
pub(super) struct Rights {
    pub(super) name: String,
    pub(super) may_edit: bool,
    pub(super) may_export: bool,
    pub(super) may_manage_users: bool,
}

impl Rights {
    /// Whether a right is there, or the sentence for those without it.
    pub(super) fn need(&self, right: bool) -> Result<(), Trouble> {
        if right { Ok(()) } else { Err(Trouble::Forbidden("Your role does not allow this.")) }
    }
}

/// The administrator of this visit. Rights are read each time: taking them away works at once.
pub(super) async fn enter(visit: &Visit) -> Result<Rights, Trouble> {
    let sign_in = || Trouble::SignIn("/admin/login".to_string());
    let admin = visit.session().await?.and_then(|s| s.admin).ok_or_else(sign_in)?;
    let select = Select {
        model: Model::AdminUser,
        joined: &[],
        sql: "SELECT admin_user.id, admin_user.name, may_edit, may_export, may_manage_users FROM admin_user \
              JOIN role ON role.id = admin_user.role_id WHERE admin_user.id = $1 AND active"
            .to_string(),
        params: vec![admin.id.into()],
        memory: Memory::Never,
    };
    let rows = visit.scope.select_from_primary(&select).await?;
    let row = rows.first().ok_or_else(sign_in)?;
    Ok(Rights {
        name: row.text("name"),
        may_edit: row.flag("may_edit"),
        may_export: row.flag("may_export"),
        may_manage_users: row.flag("may_manage_users"),
    })
}

/// `/` leads to the administration: respondents come with the address of their survey.
pub(super) async fn home(_visit: Arc<Visit>) -> Answer {
    Ok(Redirect::to("/admin/").into_response())
}

/// The page that asks for name and password.
pub(super) async fn show(visit: Arc<Visit>) -> Answer {
    Ok(pages::html(&LoginPage { frame: Frame::of(&visit, "Sign in", None), error: "" }))
}

/// Name and password were sent.
pub(super) async fn check(visit: Arc<Visit>) -> Answer {
    let select = Select {
        model: Model::AdminUser,
        joined: &[],
        sql: "SELECT id, name, password_hash FROM admin_user WHERE name = $1 AND active".to_string(),
        params: vec![visit.field("name").into()],
        memory: Memory::Never,
    };
    let rows = visit.scope.select_from_primary(&select).await?;
    let row = rows.first();
    // Somebody who does not exist takes as long as somebody with another password.
    let stored = row.map_or_else(|| NOBODY.to_string(), |r| r.text("password_hash"));
    let typed = visit.field("password").to_string();
    let fits = tokio::task::spawn_blocking(move || crate::secret::password_fits(&typed, &stored)).await;
    let (Some(row), Ok(true)) = (row, fits) else {
        let page = LoginPage {
            frame: Frame::of(&visit, "Sign in", None),
            error: "This name and password do not belong together.",
        };
        return Ok((StatusCode::UNPROCESSABLE_ENTITY, pages::html(&page)).into_response());
    };
    let admin = Admin { id: row.int("id"), name: row.text("name") };
    note(&visit.scope, &admin.name, "signed in").await?;
    visit.sign_in(&Session { taking: None, admin: Some(admin) }).await?;
    Ok(Redirect::to("/admin/").into_response())
}

/// A hash that no password has.
const NOBODY: &str =
    "$argon2id$v=19$m=19456,t=2,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

/// Good-bye.
pub(super) async fn leave(visit: Arc<Visit>) -> Answer {
    visit.sign_out().await?;
    Ok(Redirect::to("/admin/login").into_response())
}

/// A style sheet or script as it is; published ones are served by the static process.
pub(super) async fn asset(visit: Arc<Visit>) -> Answer {
    let (kind, text) = crate::assets::source(visit.param("file")).ok_or(Trouble::NotFound)?;
    Ok(([(header::CONTENT_TYPE, kind)], text).into_response())
}

/// Writes down what an administrator did.
pub(super) async fn note(scope: &Scope, who: &str, what: &str) -> Result<()> {
    let sql = "INSERT INTO audit_log (who, what) VALUES ($1, $2)";
    scope.execute(Model::AuditLog, sql, vec![who.into(), what.into()]).await.map(drop)
}

/// The first administrator, with every right.
pub async fn create_admin(app: &Arc<App>, name: &str, password: &str) -> Result<()> {
    let view = View { name: "create_admin", route: "create_admin", read_only: &[] };
    let scope = Scope::begin(Arc::clone(app), view, None, Default::default());
    let sql = "INSERT INTO role (name, may_manage_users) VALUES ('owner', true) \
               ON CONFLICT (name) DO UPDATE SET may_manage_users = true RETURNING id";
    let rows = scope.execute(Model::Role, sql, Vec::new()).await?;
    let role = rows.first().map(|r| r.int("id")).unwrap_or_default();
    let sql = "INSERT INTO admin_user (role_id, name, password_hash) VALUES ($1, $2, $3) \
               ON CONFLICT (name) DO UPDATE SET password_hash = EXCLUDED.password_hash, active = true";
    let hash = crate::secret::password_hash(password);
    scope.execute(Model::AdminUser, sql, vec![role.into(), name.into(), hash.into()]).await?;
    scope.finish(true).await
}
