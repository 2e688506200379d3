//! The demo: one day of a web shop whose programmers made the usual mistakes.
//!
//! The statements are sent to a real server within half a minute; then the times of its log are stretched into a
//! day. A day is a list of moments. Each moment is played in one go, and what the server logs meanwhile keeps its
//! distances and moves to the moment's time of day:
//!
//! ```text
//! played     |m1|m2|m3|…            30 seconds, one moment after the other
//! told       m1────m2──────m3──…    06:00 to 20:00, busiest at noon and in the evening
//! ```
//!
//! Durations, process ids, texts and errors are the server's own.

use std::fs;
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result};
use postgres::{Client, Statement};

use super::say;
use crate::{Server, Truth};

/// The day that the demo tells: a Monday.
const DAY: &str = "2026-03-02";
/// Requests in each hour, from six o'clock on.
const REQUESTS: [u32; 14] = [4, 8, 14, 20, 18, 22, 30, 24, 16, 18, 22, 28, 18, 6];
const FIRST_HOUR: u64 = 6;
const PREFIX: &str = "%m [%p]: user=%u,db=%d,app=%a,client=%h ";
const LISTED: i32 = 12;

/// The demo's log and its truth.
pub struct Demo {
    /// stderr format, times stretched into a day.
    pub log: String,
    /// Counted from the jsonlog of the same run.
    pub truth: Truth,
}

/// Plays the day.
///
/// # Errors
/// The server does not start, or a step fails that must not.
pub fn demo() -> Result<Demo> {
    let server = Server::start(&[
        ("log_line_prefix", PREFIX),
        ("log_connections", "on"),
        ("log_disconnections", "on"),
        ("log_lock_waits", "on"),
        ("deadlock_timeout", "60ms"),
        ("log_temp_files", "0"),
        ("work_mem", "256kB"),
        ("log_checkpoints", "on"),
        ("log_autovacuum_min_duration", "0"),
        ("autovacuum_naptime", "2s"),
    ])?;
    found_the_shop(&server)?;

    let mut day = Day { server: &server, moments: Vec::new(), chance: Chance(20_260_302) };
    let mut web = [Web::open(&server)?, Web::open(&server)?, Web::open(&server)?];
    let mut worker = server.connect("worker", "shop", "mail-worker")?;
    for (requests, hour) in REQUESTS.into_iter().zip(FIRST_HOUR..) {
        for request in 0..requests {
            let second = u64::from(request) * 3600 / u64::from(requests) + day.chance.below(40);
            day.moment(hour * 3600 + second, |server, chance| {
                serve_pages(&mut web, chance)?;
                poll_the_queue(&mut worker, chance);
                if chance.below(4) == 0 { legacy_newsletter(server, chance) } else { Ok(()) }
            })?;
        }
        day.moment(hour * 3600 + 3590, |server, _| upkeep(server, hour))?;
        match hour {
            8 | 13 | 18 => day.moment(hour * 3600 + 3592, |server, _| monthly_report(server))?,
            12 => day.moment(hour * 3600 + 3592, |_, _| checkout_collision(&mut web))?,
            15 => day.moment(hour * 3600 + 3592, |server, _| somebody_at_psql(server))?,
            _ => {}
        }
    }
    drop((web, worker));
    let Day { moments, .. } = day;
    let logs = server.stop()?;
    let log = String::from_utf8(fs::read(&logs.stderr)?)?
        .replace(&logs.directory().display().to_string(), "/srv/pg");
    Ok(Demo { log: stretch(&log, &moments)?, truth: Truth::of_jsonlog(&logs.json)? })
}

/// The moments played so far.
struct Day<'a> {
    server: &'a Server,
    /// When a moment began on the server's clock, and its time of day, both in milliseconds.
    moments: Vec<(i64, i64)>,
    chance: Chance,
}

impl Day<'_> {
    fn moment(&mut self, second: u64, play: impl FnOnce(&Server, &mut Chance) -> Result<()>) -> Result<()> {
        let begun = now_ms()?;
        self.moments.push((begun, i64::try_from(second)? * 1000 + i64::from(self.chance.below(1000) as u16)));
        play(self.server, &mut self.chance)?;
        // The log counts in milliseconds: the next moment must begin in another one.
        thread::sleep(Duration::from_millis(2));
        Ok(())
    }
}

/// Moves each line's time from the server's clock to the day.
fn stretch(log: &str, moments: &[(i64, i64)]) -> Result<String> {
    let mut told = String::with_capacity(log.len());
    let mut last = FIRST_HOUR as i64 * 3_600_000;
    for line in log.lines() {
        if let Some(clock) = clock_ms(line) {
            let next = moments.partition_point(|&(begun, _)| begun <= clock);
            last = match next.checked_sub(1) {
                // Autovacuum may report while a later moment is being told.
                Some(at) => last.max(moments[at].1 + (clock - moments[at].0)),
                None => last,
            };
            let (hours, minutes) = (last / 3_600_000, last / 60_000 % 60);
            let (seconds, milliseconds) = (last / 1000 % 60, last % 1000);
            let rest = line.get(23..).context("a line ends within its time")?;
            told += &format!("{DAY} {hours:02}:{minutes:02}:{seconds:02}.{milliseconds:03}{rest}\n");
        } else {
            told += line;
            told.push('\n');
        }
    }
    Ok(told)
}

/// The time of day at the beginning of a line, `2026-03-02 06:00:00.000 UTC`, in milliseconds.
fn clock_ms(line: &str) -> Option<i64> {
    let time = line.get(..27)?.strip_suffix(" UTC")?;
    let (date, clock) = time.split_once(' ')?;
    let mut parts = clock.split([':', '.']).map(|part| part.parse::<i64>().ok());
    let mut part = || parts.next().flatten();
    (date.len() == 10).then_some(())?;
    Some(((part()? * 60 + part()?) * 60 + part()?) * 1000 + part()?)
}

/// The time of day in milliseconds, as the server writes it (UTC).
fn now_ms() -> Result<i64> {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH)?;
    Ok(i64::try_from(since.as_millis() % 86_400_000)?)
}

/// A small generator of our own, so that a day can be played again.
struct Chance(u64);

impl Chance {
    fn below(&mut self, limit: u64) -> u64 {
        // Knuth's MMIX constants; the upper bits are the good ones.
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % limit
    }

    fn id(&mut self, limit: i32) -> i32 {
        1 + i32::try_from(self.below(u64::from(limit.unsigned_abs()))).unwrap_or(0)
    }
}

/// One connection of the web application, with its statements prepared as its framework does it.
struct Web {
    client: Client,
    session: Statement,
    customer: Statement,
    setting: Statement,
    product: Statement,
    image: Statement,
    orders: Statement,
    items: Statement,
    view: Statement,
    order: Statement,
    item: Statement,
    stock: Statement,
    read_back: Statement,
}

impl Web {
    fn open(server: &Server) -> Result<Self> {
        let mut client = server.connect("web", "shop", "shop-web")?;
        let mut prepare = |sql: &str| client.prepare(sql);
        Ok(Self {
            session: prepare(
                "SELECT s.id, s.customer_id, s.data FROM sessions s WHERE s.token = $1 /*controller='session'*/",
            )?,
            customer: prepare("SELECT c.id, c.name, c.email FROM customers c WHERE c.id = $1")?,
            setting: prepare("SELECT value FROM settings WHERE name = $1")?,
            product: prepare(
                "SELECT p.id, p.name, p.price, p.stock FROM products p WHERE p.id = $1 \
                 /*controller='products',action='show'*/",
            )?,
            image: prepare("SELECT i.url FROM product_images i WHERE i.product_id = $1 ORDER BY i.position")?,
            orders: prepare(
                "SELECT o.id, o.customer_id, o.placed_at FROM orders o WHERE o.customer_id = $1 \
                 ORDER BY o.id DESC LIMIT 12 /*controller='orders',action='index'*/",
            )?,
            items: prepare(
                "SELECT i.product_id, i.quantity FROM order_items i WHERE i.order_id = $1 \
                 /*controller='orders',action='index'*/",
            )?,
            view: prepare("INSERT INTO page_views (path, customer_id) VALUES ($1, $2)")?,
            order: prepare("INSERT INTO orders (customer_id) VALUES ($1) RETURNING id")?,
            item: prepare("INSERT INTO order_items (order_id, product_id, quantity) VALUES ($1, $2, $3)")?,
            stock: prepare("UPDATE products SET stock = stock - $1 WHERE id = $2")?,
            read_back: prepare("SELECT o.id, o.customer_id, o.placed_at FROM orders o WHERE o.id = $1")?,
            client,
        })
    }

    /// What every page does first: the session, the customer (twice), three settings that never change.
    fn begin_page(&mut self, customer: i32, path: &str) -> Result<()> {
        self.client.query(&self.session, &[&format!("token-{customer}")])?;
        self.client.query(&self.customer, &[&customer])?;
        for name in ["currency", "vat_rate", "shop_name"] {
            self.client.query(&self.setting, &[&name])?;
        }
        self.client.query(&self.customer, &[&customer])?;
        self.client.execute(&self.view, &[&path, &customer])?;
        Ok(())
    }

    fn product_page(&mut self, customer: i32, product: i32) -> Result<()> {
        self.begin_page(customer, &format!("/products/{product}"))?;
        self.client.query(&self.product, &[&product])?;
        self.client.query(&self.image, &[&product])?;
        // "Others also bought": one query for each neighbour, and one for each neighbour's image.
        for neighbour in product..product + 4 {
            self.client.query(&self.product, &[&(1 + neighbour % 500)])?;
            self.client.query(&self.image, &[&(1 + neighbour % 500)])?;
        }
        Ok(())
    }

    fn orders_page(&mut self, customer: i32) -> Result<()> {
        self.begin_page(customer, "/orders")?;
        let orders = self.client.query(&self.orders, &[&customer])?;
        for order in orders {
            let id: i32 = order.get(0);
            for item in self.client.query(&self.items, &[&id])? {
                self.client.query(&self.product, &[&item.get::<_, i32>(0)])?;
            }
            self.client.query(&self.customer, &[&customer])?;
        }
        Ok(())
    }

    fn checkout(&mut self, customer: i32, products: &[i32], pause: Duration) -> Result<()> {
        self.begin_page(customer, "/checkout")?;
        let mut work = self.client.transaction()?;
        let id: i32 = work.query_one(&self.order, &[&customer])?.get(0);
        for product in products {
            work.execute(&self.item, &[&id, product, &1])?;
            work.execute(&self.stock, &[&1, product])?;
            thread::sleep(pause);
        }
        work.query(&self.read_back, &[&id])?;
        work.commit()?;
        Ok(())
    }
}

/// Three people use the shop at once.
fn serve_pages(web: &mut [Web; 3], chance: &mut Chance) -> Result<()> {
    let visits: Vec<_> =
        web.iter_mut().map(|it| (it, chance.below(10), chance.id(300), chance.id(500))).collect();
    thread::scope(|scope| {
        let pages: Vec<_> = visits
            .into_iter()
            .map(|(web, page, customer, product)| {
                scope.spawn(move || match page {
                    0..=5 => web.product_page(customer, product),
                    6..=7 => web.orders_page(customer),
                    _ => {
                        // In the order of their ids, as the cart has them; not in checkout_collision.
                        let products: Vec<i32> = (product..product + 6).map(|it| 1 + it % 500).collect();
                        web.checkout(customer, &products, Duration::ZERO)
                    }
                })
            })
            .collect();
        // Two carts may deadlock: that is in the log, and the shop goes on.
        pages.into_iter().for_each(|it| drop(it.join().expect("a page does not panic")));
    });
    Ok(())
}

/// Two carts with the same products in another order: waits, and one of them loses.
fn checkout_collision(web: &mut [Web; 3]) -> Result<()> {
    let [one, other, _] = web;
    thread::scope(|scope| {
        scope.spawn(|| drop(one.checkout(7, &[41, 42, 43], Duration::from_millis(90))));
        scope.spawn(|| drop(other.checkout(8, &[43, 42, 41], Duration::from_millis(90))));
    });
    Ok(())
}

/// The worker has literals in its SQL, and asks for work whether there is some or not.
fn poll_the_queue(worker: &mut Client, chance: &mut Chance) {
    say(
        worker,
        "select id, payload from jobs where state = 'new' order by id limit 1 for update skip locked",
    );
    if chance.below(3) == 0 {
        let id = chance.id(2000);
        say(worker, "begin");
        say(worker, &format!("update jobs set state = 'running' where id = {id}"));
        say(
            worker,
            &format!(
                "insert into mails (job_id, subject) values ({id}, 'Order {id}: thank you, it''s sent')"
            ),
        );
        say(worker, &format!("update jobs\n   set state = 'done',\n       note = 'ok'\n where id = {id}"));
        say(worker, "commit");
    }
}

/// A script that connects for each visitor and sends three inserts where one would do.
fn legacy_newsletter(server: &Server, chance: &mut Chance) -> Result<()> {
    let mut script = server.connect("newsletter", "crm", "newsletter.php")?;
    let visitor = chance.id(60);
    say(&mut script, &format!("SELECT id FROM subscribers WHERE email = 'visitor{visitor}@example.org'"));
    say(&mut script, &format!("INSERT INTO subscribers (email) VALUES ('visitor{visitor}@example.org')"));
    for topic in ["news", "offers", "events"] {
        say(
            &mut script,
            &format!(
                "INSERT INTO subscriptions (email, topic) VALUES ('visitor{visitor}@example.org', '{topic}')"
            ),
        );
    }
    Ok(())
}

fn monthly_report(server: &Server) -> Result<()> {
    let mut reports = server.connect("reporting", "shop", "Monthly report")?;
    say(
        &mut reports,
        "select p.name,\n       date_trunc('month', o.placed_at) as month,\n       sum(i.quantity * p.price) as revenue\n\
         \x20 from orders o\n  join order_items i on i.order_id = o.id\n  join products p on p.id = i.product_id\n\
         \x20group by 1, 2\n order by revenue desc, p.name",
    );
    say(&mut reports, "set statement_timeout = '30ms'");
    say(
        &mut reports,
        "select count(*) from order_items a join order_items b on a.quantity <> b.quantity + 1000",
    );
    Ok(())
}

fn somebody_at_psql(server: &Server) -> Result<()> {
    let mut psql = server.connect("postgres", "shop", "psql")?;
    for sql in [
        "select * from custmers limit 10",
        "select * from customers limt 10",
        "select id, nam from customers limit 10",
        "select 1/0",
        "delete from customers where id = 1",
        "analyze orders",
    ] {
        say(&mut psql, sql);
    }
    Ok(())
}

/// A checkpoint an hour, and at times room for autovacuum to come round.
fn upkeep(server: &Server, hour: u64) -> Result<()> {
    let mut quiet = server.connect_quietly("shop")?;
    quiet.batch_execute("checkpoint")?;
    if hour.is_multiple_of(6) {
        quiet.batch_execute("update jobs set note = 'archived'; update sessions set data = data")?;
        thread::sleep(Duration::from_millis(2500));
    }
    Ok(())
}

fn found_the_shop(server: &Server) -> Result<()> {
    let mut postgres = server.connect_quietly("postgres")?;
    for sql in [
        "create role web login",
        "create role worker login",
        "create role newsletter login",
        "create role reporting login",
        "create database shop",
        "create database crm",
    ] {
        postgres.batch_execute(sql)?;
    }
    server.connect_quietly("crm")?.batch_execute(
        "create table subscribers (id serial primary key, email text unique);
         create table subscriptions (email text, topic text, primary key (email, topic));
         grant all on all tables in schema public to public;
         grant all on all sequences in schema public to public",
    )?;
    let mut shop = server.connect_quietly("shop")?;
    shop.batch_execute(&format!(
        "create table customers (id int primary key, name text, email text);
         create table sessions (id serial primary key, token text unique, customer_id int, data text);
         create table settings (name text primary key, value text);
         create table products (id int primary key, name text, price numeric(10, 2), stock int);
         create table product_images (product_id int, position int, url text);
         create table orders (id serial primary key, customer_id int, placed_at timestamptz default now());
         create table order_items (order_id int references orders, product_id int, quantity int);
         create table page_views (id bigserial primary key, path text, customer_id int);
         create table jobs (id int primary key, state text, payload text, note text);
         create table mails (id serial primary key, job_id int, subject text);
         insert into customers select g, 'Customer ' || g, 'c' || g || '@example.org' from generate_series(1, 300) g;
         insert into sessions (token, customer_id, data) select 'token-' || g, g, '{{}}' from generate_series(1, 300) g;
         insert into settings values ('currency', 'EUR'), ('vat_rate', '0.20'), ('shop_name', 'Bücher & mehr');
         insert into products select g, 'Product ' || g, g % 90 + 0.99, 100000 from generate_series(1, 500) g;
         insert into product_images select g % 500 + 1, g, '/img/' || g from generate_series(1, 1500) g;
         insert into orders (customer_id, placed_at)
             select g % 300 + 1, timestamptz '2026-01-01' + g * interval '10 min' from generate_series(1, {ORDERS}) g;
         insert into order_items select 1 + g % {ORDERS}, 1 + g % 500, 1 + g % 3 from generate_series(1, 9000) g;
         insert into jobs select g, 'done', repeat('x', 100), null from generate_series(1, 2000) g;
         create index on order_items (order_id);
         create index on product_images (product_id);
         grant all on all tables in schema public to public;
         grant all on all sequences in schema public to public"
    ))?;
    shop.batch_execute("vacuum analyze")?;
    Ok(())
}

/// Orders of the past, so that each of the 300 customers has a page full.
const ORDERS: i32 = 300 * LISTED / 2;
