//! `app create` and `app list`.

use clap::{Args, Subcommand};
use logmon_core::app::NewApp;
use logmon_core::clock::{Clock as _, SystemClock};
use logmon_core::config::{DatabaseSettings, LogSettings};
use logmon_core::field::{FieldValue, Fields};
use logmon_core::page::{Cursor, LIMIT_MAX, Page};
use logmon_store::db::{Database, apps};

use super::{print_json, wait_for_tables};
use crate::endpoints::apps::AppView;

/// What to do with the apps.
#[derive(Debug, Args)]
pub struct App {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Make an app and print it
    Create {
        /// What people call it
        name: String,
        /// Who answers for it
        #[arg(long)]
        owner: String,
        #[command(flatten)]
        settings: Settings,
    },
    /// Print every app, newest first
    List {
        #[command(flatten)]
        settings: Settings,
    },
}

#[derive(Debug, Args)]
struct Settings {
    #[command(flatten)]
    database: DatabaseSettings,
    #[command(flatten)]
    log: LogSettings,
}

impl App {
    /// Does it and prints JSON on standard output.
    ///
    /// # Errors
    /// When the database cannot be reached or the app is not right.
    pub fn run(&self) -> anyhow::Result<()> {
        match &self.action {
            Action::Create { name, owner, settings } => {
                settings.log.install();
                let mut fields = Fields::default();
                fields.set("name", FieldValue::Text(name.into()));
                fields.set("owner", FieldValue::Text(owner.into()));
                let app = NewApp::from_fields(&fields)
                    .map_err(|errors| anyhow::anyhow!("{}", serde_json::to_string(&errors).unwrap_or_default()))?;
                let database = Database::new(&settings.database);
                print_json(&AppView::from(apps::create(&mut *wait_for_tables(&database)?, &app, SystemClock.now())?))
            }
            Action::List { settings } => {
                settings.log.install();
                print_json(&every_app(&Database::new(&settings.database))?)
            }
        }
    }
}

fn every_app(database: &Database) -> anyhow::Result<Vec<AppView>> {
    let mut conn = wait_for_tables(database)?;
    let mut all = Vec::new();
    let mut page = Page { limit: LIMIT_MAX, after: None };
    loop {
        let apps = apps::list(&mut conn, page)?;
        let Some(last) = apps.last() else { return Ok(all) };
        page.after = Some(Cursor { created_at: last.created_at, id: last.id.0 });
        all.extend(apps.into_iter().map(AppView::from));
    }
}
