//! Tables as the sqlparser crate sees them.
//!
//! The first answer of a shape; it knows the grammar of expressions, which our scan of clauses does not. What it
//! refuses, or holds in a part of its tree that is not followed here, is `None`: then the scan answers.

use std::collections::HashSet;

use sqlparser::ast::{
    AccessExpr, Assignment, CopySource, Cte, Distinct, Expr, FromTable, Function, FunctionArg,
    FunctionArgExpr, FunctionArguments, GroupByExpr, InTarget, JoinConstraint, JoinOperator, LimitClause,
    MergeAction, MergeInsertKind, MergeUpdateKind, NamedWindowExpr, ObjectName, ObjectNamePart, ObjectType,
    OnConflictAction, OnInsert, OrderByExpr, OrderByKind, Query, Select, SelectItem, SetExpr, Statement,
    Subscript, TableFactor, TableObject, TableWithJoins, UpdateTableFromKind, WindowSpec, WindowType,
};
use sqlparser::dialect::PostgreSqlDialect;
use sqlparser::parser::Parser;

use super::canonical::{Item, ItemKind};

/// Longer statements are left to the scan: their trees cost more than they tell.
const LONGEST: usize = 64 * 1024;
/// Nesting that the parser may follow; its own default, named so that it never grows by accident.
const DEEPEST: usize = 50;

/// Names in order of appearance, each once. A statement may have tens of thousands.
#[derive(Default)]
pub(super) struct Names {
    list: Vec<String>,
    known: HashSet<String>,
}

impl Names {
    /// Adds a name unless it is there.
    pub(super) fn add(&mut self, name: String) {
        if !self.known.contains(&name) {
            self.known.insert(name.clone());
            self.list.push(name);
        }
    }

    /// The names alone.
    pub(super) fn list(self) -> Vec<String> {
        self.list
    }
}

/// Tables read and written, in order of appearance.
pub(super) struct Tables {
    pub(super) reads: Vec<String>,
    pub(super) writes: Vec<String>,
}

/// Parses the canonical tokens, each placeholder as `$1`.
pub(super) fn tables(items: &[Item<'_>]) -> Option<Tables> {
    let mut text = String::new();
    for item in items {
        if text.len() > LONGEST {
            return None;
        }
        text.push(' ');
        match item.kind {
            ItemKind::Value => text.push_str("$1"),
            ItemKind::Word | ItemKind::Quoted | ItemKind::Symbol => {
                text.push_str(std::str::from_utf8(item.text).ok()?);
            }
        }
    }
    let parser = Parser::new(&PostgreSqlDialect {}).with_recursion_limit(DEEPEST);
    let statements = parser.try_with_sql(&text).ok()?.parse_statements().ok()?;
    let mut walk = Walk { reads: Names::default(), writes: Names::default(), ctes: Vec::new(), whole: true };
    for statement in &statements {
        walk.statement(statement);
    }
    let found = walk.whole && !statements.is_empty();
    found.then(|| Tables { reads: walk.reads.list(), writes: walk.writes.list() })
}

/// Is a word, in lower case, a function that is called without parentheses? `FROM current_date` names no table.
pub(super) fn is_value_function(word: &str) -> bool {
    matches!(
        word,
        "current_catalog"
            | "current_date"
            | "current_role"
            | "current_schema"
            | "current_time"
            | "current_timestamp"
            | "current_user"
            | "localtime"
            | "localtimestamp"
            | "session_user"
            | "system_user"
            | "user"
    )
}

struct Walk {
    reads: Names,
    writes: Names,
    /// The names of the common table expressions in scope.
    ctes: Vec<String>,
    /// Nothing was met that is not followed.
    whole: bool,
}

/// The name as the report has it.
fn name_text(name: &ObjectName) -> Option<String> {
    let parts: Option<Vec<String>> = name
        .0
        .iter()
        .map(|part| match part {
            ObjectNamePart::Identifier(ident) if ident.quote_style.is_none() => {
                Some(ident.value.to_ascii_lowercase())
            }
            ObjectNamePart::Identifier(ident) => Some(ident.value.clone()),
            ObjectNamePart::Function(_) => None,
        })
        .collect();
    parts.map(|parts| parts.join("."))
}

impl Walk {
    fn read(&mut self, name: &ObjectName) {
        match name_text(name) {
            Some(name) if self.ctes.contains(&name) => {}
            // A name in quotes, or in a schema, is a table's.
            Some(found) if is_value_function(&found) && name.to_string().eq_ignore_ascii_case(&found) => {}
            Some(name) => self.reads.add(name),
            None => self.whole = false,
        }
    }

    fn write(&mut self, name: &ObjectName) {
        match name_text(name) {
            Some(name) => self.writes.add(name),
            None => self.whole = false,
        }
    }

    fn statement(&mut self, statement: &Statement) {
        match statement {
            Statement::Query(query) => self.query(query),
            Statement::Insert(insert) => {
                match &insert.table {
                    TableObject::TableName(name) => self.write(name),
                    _ => self.whole = false,
                }
                if let Some(source) = &insert.source {
                    self.query(source);
                }
                if let Some(OnInsert::OnConflict(conflict)) = &insert.on
                    && let OnConflictAction::DoUpdate(update) = &conflict.action
                {
                    self.assignments(&update.assignments);
                    self.exprs(&update.selection);
                }
                self.items(insert.returning.as_deref().unwrap_or_default());
            }
            Statement::Update(update) => {
                self.target(&update.table);
                match &update.from {
                    Some(UpdateTableFromKind::BeforeSet(tables) | UpdateTableFromKind::AfterSet(tables)) => {
                        self.from(tables);
                    }
                    None => {}
                }
                self.assignments(&update.assignments);
                self.exprs(&update.selection);
                self.items(update.returning.as_deref().unwrap_or_default());
            }
            Statement::Delete(delete) => {
                let (FromTable::WithFromKeyword(tables) | FromTable::WithoutKeyword(tables)) = &delete.from;
                for table in tables {
                    self.target(table);
                }
                self.from(delete.using.as_deref().unwrap_or_default());
                self.exprs(&delete.selection);
                self.items(delete.returning.as_deref().unwrap_or_default());
            }
            Statement::Merge(merge) => {
                match &merge.table {
                    TableFactor::Table { name, .. } => self.write(name),
                    _ => self.whole = false,
                }
                self.factor(&merge.source);
                self.expr(&merge.on);
                for clause in &merge.clauses {
                    self.exprs(&clause.predicate);
                    match &clause.action {
                        MergeAction::Insert(insert) => match &insert.kind {
                            MergeInsertKind::Values(values) => {
                                values.rows.iter().for_each(|row| self.exprs(&row.content));
                            }
                            MergeInsertKind::Row | MergeInsertKind::Wildcard => {}
                        },
                        MergeAction::Update(update) => match &update.kind {
                            MergeUpdateKind::Set(assignments) => self.assignments(assignments),
                            MergeUpdateKind::Wildcard => {}
                        },
                        MergeAction::Delete { .. } | MergeAction::DoNothing { .. } => {}
                    }
                }
            }
            Statement::Truncate(truncate) => {
                truncate.table_names.iter().for_each(|table| self.write(&table.name));
            }
            Statement::Copy { source, to, .. } => match source {
                CopySource::Table { table_name, .. } if *to => self.read(table_name),
                CopySource::Table { table_name, .. } => self.write(table_name),
                CopySource::Query(query) => self.query(query),
            },
            Statement::CreateTable(create) => {
                self.write(&create.name);
                if let Some(query) = &create.query {
                    self.query(query);
                }
            }
            Statement::CreateView(create) => {
                self.write(&create.name);
                self.query(&create.query);
            }
            Statement::CreateIndex(create) => self.write(&create.table_name),
            Statement::AlterTable(alter) => self.write(&alter.name),
            Statement::Drop { object_type: ObjectType::Table | ObjectType::View, names, .. } => {
                names.iter().for_each(|name| self.write(name));
            }
            Statement::Explain { statement, .. } => self.statement(statement),
            // No tables in these.
            Statement::StartTransaction { .. }
            | Statement::Commit { .. }
            | Statement::Rollback { .. }
            | Statement::Set(_) => {}
            _ => self.whole = false,
        }
    }

    /// The table that UPDATE or DELETE changes; with joins, the first.
    fn target(&mut self, table: &TableWithJoins) {
        match &table.relation {
            TableFactor::Table { name, .. } => self.write(name),
            _ => self.whole = false,
        }
        for join in &table.joins {
            self.factor(&join.relation);
        }
    }

    fn query(&mut self, query: &Query) {
        let outer = self.ctes.len();
        if let Some(with) = &query.with {
            let name = |cte: &Cte| match cte.alias.name.quote_style {
                None => cte.alias.name.value.to_ascii_lowercase(),
                Some(_) => cte.alias.name.value.clone(),
            };
            if with.recursive {
                self.ctes.extend(with.cte_tables.iter().map(name));
                with.cte_tables.iter().for_each(|cte| self.query(&cte.query));
            } else {
                // `WITH t AS (SELECT * FROM t)` reads the table t: a name is known from the end of its own query.
                for cte in &with.cte_tables {
                    self.query(&cte.query);
                    self.ctes.push(name(cte));
                }
            }
        }
        self.set_expr(&query.body);
        if let Some(order) = &query.order_by
            && let OrderByKind::Expressions(exprs) = &order.kind
        {
            self.order(exprs);
        }
        match &query.limit_clause {
            Some(LimitClause::LimitOffset { limit, offset, limit_by }) => {
                self.exprs(limit);
                self.exprs(limit_by);
                self.exprs(offset.as_ref().map(|offset| &offset.value));
            }
            Some(LimitClause::OffsetCommaLimit { offset, limit }) => self.exprs([offset, limit]),
            None => {}
        }
        self.whole &= query.pipe_operators.is_empty();
        self.ctes.truncate(outer);
    }

    fn set_expr(&mut self, body: &SetExpr) {
        match body {
            SetExpr::Select(select) => self.select(select),
            SetExpr::Query(query) => self.query(query),
            SetExpr::SetOperation { left, right, .. } => {
                self.set_expr(left);
                self.set_expr(right);
            }
            SetExpr::Values(values) => values.rows.iter().for_each(|row| self.exprs(&row.content)),
            SetExpr::Insert(statement)
            | SetExpr::Update(statement)
            | SetExpr::Delete(statement)
            | SetExpr::Merge(statement) => self.statement(statement),
            // Its name is split by a rule of its own.
            SetExpr::Table(_) => self.whole = false,
        }
    }

    fn select(&mut self, select: &Select) {
        if let Some(Distinct::On(exprs)) = &select.distinct {
            self.exprs(exprs);
        }
        self.items(&select.projection);
        self.whole &= select.into.is_none();
        self.from(&select.from);
        self.exprs(&select.selection);
        match &select.group_by {
            GroupByExpr::Expressions(exprs, _) => self.exprs(exprs),
            GroupByExpr::All(_) => {}
        }
        self.exprs(&select.having);
        for window in &select.named_window {
            match &window.1 {
                NamedWindowExpr::WindowSpec(spec) => self.window(spec),
                NamedWindowExpr::NamedWindow(_) => {}
            }
        }
        self.whole &=
            select.lateral_views.is_empty() && select.qualify.is_none() && select.prewhere.is_none();
    }

    fn items(&mut self, items: &[SelectItem]) {
        for item in items {
            match item {
                SelectItem::UnnamedExpr(expr) | SelectItem::ExprWithAlias { expr, .. } => self.expr(expr),
                SelectItem::QualifiedWildcard(..) | SelectItem::Wildcard(_) => {}
                SelectItem::ExprWithAliases { .. } => self.whole = false,
            }
        }
    }

    fn from(&mut self, tables: &[TableWithJoins]) {
        for table in tables {
            self.factor(&table.relation);
            for join in &table.joins {
                self.factor(&join.relation);
                match &join.join_operator {
                    JoinOperator::Join(on)
                    | JoinOperator::Inner(on)
                    | JoinOperator::Left(on)
                    | JoinOperator::LeftOuter(on)
                    | JoinOperator::Right(on)
                    | JoinOperator::RightOuter(on)
                    | JoinOperator::FullOuter(on)
                    | JoinOperator::CrossJoin(on) => {
                        if let JoinConstraint::On(expr) = on {
                            self.expr(expr);
                        }
                    }
                    _ => self.whole = false,
                }
            }
        }
    }

    fn factor(&mut self, factor: &TableFactor) {
        match factor {
            TableFactor::Table { name, args: None, .. } => self.read(name),
            TableFactor::Table { args: Some(args), .. } => self.arguments(&args.args),
            TableFactor::Derived { subquery, .. } => self.query(subquery),
            TableFactor::Function { args, .. } => self.arguments(args),
            TableFactor::UNNEST { array_exprs, .. } => self.exprs(array_exprs),
            TableFactor::NestedJoin { table_with_joins, .. } => {
                self.from(std::slice::from_ref(table_with_joins))
            }
            _ => self.whole = false,
        }
    }

    fn assignments(&mut self, assignments: &[Assignment]) {
        self.exprs(assignments.iter().map(|assignment| &assignment.value));
    }

    fn order(&mut self, exprs: &[OrderByExpr]) {
        self.exprs(exprs.iter().map(|order| &order.expr));
    }

    fn exprs<'e>(&mut self, exprs: impl IntoIterator<Item = &'e Expr>) {
        exprs.into_iter().for_each(|expr| self.expr(expr));
    }

    fn expr(&mut self, expr: &Expr) {
        match expr {
            Expr::Identifier(_)
            | Expr::CompoundIdentifier(_)
            | Expr::Value(_)
            | Expr::TypedString(_)
            | Expr::Wildcard(_)
            | Expr::QualifiedWildcard(..) => {}
            Expr::IsFalse(expr)
            | Expr::IsNotFalse(expr)
            | Expr::IsTrue(expr)
            | Expr::IsNotTrue(expr)
            | Expr::IsNull(expr)
            | Expr::IsNotNull(expr)
            | Expr::IsUnknown(expr)
            | Expr::IsNotUnknown(expr)
            | Expr::Nested(expr)
            | Expr::UnaryOp { expr, .. }
            | Expr::Cast { expr, .. }
            | Expr::Extract { expr, .. }
            | Expr::Ceil { expr, .. }
            | Expr::Floor { expr, .. }
            | Expr::Collate { expr, .. }
            | Expr::IsJson { expr, .. }
            | Expr::IsNormalized { expr, .. }
            | Expr::Named { expr, .. } => self.expr(expr),
            Expr::IsDistinctFrom(left, right)
            | Expr::IsNotDistinctFrom(left, right)
            | Expr::BinaryOp { left, right, .. }
            | Expr::AnyOp { left, right, .. }
            | Expr::AllOp { left, right, .. }
            | Expr::AtTimeZone { timestamp: left, time_zone: right }
            | Expr::Position { expr: left, r#in: right }
            | Expr::RLike { expr: left, pattern: right, .. } => {
                self.expr(left);
                self.expr(right);
            }
            Expr::Like { expr, pattern, .. }
            | Expr::ILike { expr, pattern, .. }
            | Expr::SimilarTo { expr, pattern, .. } => {
                self.expr(expr);
                self.expr(pattern);
            }
            Expr::Between { expr, low, high, .. } => {
                self.expr(expr);
                self.expr(low);
                self.expr(high);
            }
            Expr::In { expr, target, .. } => {
                self.expr(expr);
                match target {
                    InTarget::List(list) => self.exprs(list),
                    InTarget::Subquery(query) => self.query(query),
                    InTarget::Unnest(_) | InTarget::Table { .. } => self.whole = false,
                }
            }
            Expr::Substring { expr, substring_from, substring_for, .. } => {
                self.expr(expr);
                self.exprs(substring_from.as_deref());
                self.exprs(substring_for.as_deref());
            }
            Expr::Trim { trim_what, expr, trim_characters, .. } => {
                self.expr(expr);
                self.exprs(trim_what.as_deref());
                self.exprs(trim_characters.as_deref().unwrap_or_default());
            }
            Expr::Function(function) => self.function(function),
            Expr::Case { operand, conditions, else_result, .. } => {
                self.exprs(operand.as_deref());
                for when in conditions {
                    self.expr(&when.condition);
                    self.expr(&when.result);
                }
                self.exprs(else_result.as_deref());
            }
            Expr::Exists { subquery, .. } | Expr::Subquery(subquery) => self.query(subquery),
            Expr::GroupingSets(sets) | Expr::Cube(sets) | Expr::Rollup(sets) => {
                self.exprs(sets.iter().flatten())
            }
            Expr::Tuple(exprs) => self.exprs(exprs),
            Expr::Array(array) => self.exprs(&array.elem),
            // Each interval is a placeholder by now: this is a column of that name, and what follows it was swallowed.
            Expr::Interval(_) => self.whole = false,
            Expr::CompoundFieldAccess { root, access_chain } => {
                self.expr(root);
                for access in access_chain {
                    match access {
                        AccessExpr::Dot(expr) | AccessExpr::Subscript(Subscript::Index { index: expr }) => {
                            self.expr(expr)
                        }
                        AccessExpr::Subscript(Subscript::Slice { lower_bound, upper_bound, stride }) => {
                            self.exprs(lower_bound);
                            self.exprs(upper_bound);
                            self.exprs(stride);
                        }
                    }
                }
            }
            _ => self.whole = false,
        }
    }

    fn function(&mut self, function: &Function) {
        match &function.args {
            FunctionArguments::None => {}
            FunctionArguments::Subquery(query) => self.query(query),
            FunctionArguments::List(list) => self.arguments(&list.args),
        }
        self.order(&function.within_group);
        self.exprs(function.filter.as_deref());
        if let Some(WindowType::WindowSpec(spec)) = &function.over {
            self.window(spec);
        }
    }

    fn window(&mut self, spec: &WindowSpec) {
        self.exprs(&spec.partition_by);
        self.order(&spec.order_by);
    }

    fn arguments(&mut self, arguments: &[FunctionArg]) {
        for argument in arguments {
            let (FunctionArg::Named { arg, .. }
            | FunctionArg::ExprNamed { arg, .. }
            | FunctionArg::Unnamed(arg)) = argument;
            if let FunctionArgExpr::Expr(expr) = arg {
                self.expr(expr);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::sql::shape;

    fn tables(sql: &str) -> Vec<String> {
        shape(sql.as_bytes()).tables().into_iter().map(str::to_owned).collect()
    }

    #[test]
    fn a_column_called_interval_swallows_no_table() {
        assert_eq!(tables("SELECT id, name, interval FROM jobs WHERE id = 1"), ["jobs"]);
        assert_eq!(tables("EXPLAIN SELECT interval FROM jobs"), ["jobs"]);
        assert_eq!(tables("INSERT INTO t SELECT interval FROM u"), ["t", "u"]);
        assert_eq!(tables("CREATE TABLE t AS SELECT interval FROM u"), ["t", "u"]);
        assert_eq!(tables("SELECT now() - interval '1 day' FROM t"), ["t"]);
    }

    #[test]
    fn functions_without_parentheses_are_no_tables() {
        for function in ["current_date", "CURRENT_USER", "user", "localtime", "LocalTimestamp"] {
            assert_eq!(tables(&format!("SELECT * FROM {function}")), [""; 0], "{function}");
        }
        assert_eq!(tables("SELECT * FROM \"user\", s.user"), ["user", "s.user"]);
    }
}
