//! The same batches into the log and into a database of others: both are closed, both are opened again, and both must
//! hold the same.

use std::collections::BTreeMap;
use std::path::Path;

use martlet_powercut::{Chance, Disk, Life, Model, Process, Recovered, Story, moment, recover};
use martlet_record::{Message, Now, Stored, Time};
use redb::{Database, Durability, ReadableDatabase, ReadableTable, TableDefinition};

const ROWS: TableDefinition<'_, &str, &str> = TableDefinition::new("rows");
const BODIES: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("bodies");
/// Lives of one store.
const LIVES: u64 = 3;

#[test]
fn the_log_gives_back_what_a_database_does() {
    for seed in 0..4 {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("oracle.redb");
        let mut disk = Disk::default();
        let mut story = Story::new(Chance::new(seed), 3000);
        let (mut inherited, mut now) = (BTreeMap::new(), moment(Time::from_millis(1000)));
        for life in 0..LIVES {
            let chance = Chance::of(seed, life);
            let found = recover(&disk, &chance).expect("nothing happened to it");
            let mut process = Process::new(disk, found, inherited, story, now, chance.clone());
            process.live(200);
            process.rest();
            let (over, its_story) = process.into_life();
            write(&over, &file);

            disk = at_rest(&over);
            let again = recover(&disk, &chance).expect("it came to rest");
            assert_eq!(rows(&file), again.model.rows(), "seed {seed}, life {life}");
            check_bodies(&again, &file, over.now);

            let model = again.model.clone();
            story = its_story.restarted(Chance::of(seed, LIVES + life), model);
            inherited = over.contents_of(over.commits.len());
            now = over.now;
        }
    }
}

/// The disk after a life that came to rest.
fn at_rest(life: &Life) -> Disk {
    let mut disk = life.disk.clone();
    life.trace.iter().for_each(|event| disk.apply(event));
    disk.killed()
}

/// Writes a life into the database: each batch is one transaction.
fn write(life: &Life, file: &Path) {
    let database = Database::create(file).expect("a database");
    for (count, (before, after)) in life.models.iter().zip(&life.models[1..]).enumerate() {
        let mut transaction = database.begin_write().expect("nobody else writes");
        // The last one makes all before it durable.
        let is_last = count + 1 == life.commits.len();
        let durability = if is_last { Durability::Immediate } else { Durability::None };
        transaction.set_durability(durability).expect("there are no savepoints");
        {
            let mut rows = transaction.open_table(ROWS).expect("a table");
            let (before, after) = (before.rows(), after.rows());
            for key in before.keys().filter(|key| !after.contains_key(*key)) {
                rows.remove(key.as_str()).expect("a row");
            }
            for (key, row) in after.iter().filter(|(key, row)| before.get(*key) != Some(row)) {
                rows.insert(key.as_str(), row.as_str()).expect("a row");
            }
            let mut bodies = transaction.open_table(BODIES).expect("a table");
            for stored in new_bodies(&life.models[count], &life.models[count + 1]) {
                let message = &life.contents[&stored.place];
                bodies.insert(stored.place.to_bits(), bytes(message, life.now).as_slice()).expect("a row");
            }
        }
        transaction.commit().expect("a disk that works");
    }
}

fn new_bodies(before: &Model, after: &Model) -> Vec<Stored> {
    let known: Vec<Stored> = before.bodies().collect();
    after.bodies().filter(|stored| !known.contains(stored)).collect()
}

fn rows(file: &Path) -> BTreeMap<String, String> {
    let database = Database::open(file).expect("the database");
    let transaction = database.begin_read().expect("a look");
    let rows = transaction.open_table(ROWS).expect("a table");
    let all = rows.iter().expect("all rows").map(|row| row.expect("a row"));
    all.map(|(key, row)| (key.value().to_owned(), row.value().to_owned())).collect()
}

/// What the log reads back is what the database kept.
fn check_bodies(found: &Recovered, file: &Path, now: Now) {
    let database = Database::open(file).expect("the database");
    let transaction = database.begin_read().expect("a look");
    let bodies = transaction.open_table(BODIES).expect("a table");
    let named: Vec<Stored> = found.model.bodies().collect();
    assert!(!named.is_empty(), "something is kept");
    for (stored, read) in named.iter().zip(found.opened.read(&named, now)) {
        let kept = bodies.get(stored.place.to_bits()).expect("a look").expect("every body was kept");
        assert_eq!(bytes(&read.expect("it is there"), now), kept.value(), "{stored:?}");
    }
}

fn bytes(message: &Message, now: Now) -> Vec<u8> {
    let mut bytes = Vec::new();
    message.encode(now, &mut bytes);
    bytes
}
