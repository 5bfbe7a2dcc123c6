//! Bodies beside each other: what goes in comes out, and room comes back.

use super::*;
use crate::config::AppConfig;

const MIB: u64 = 1024 * 1024;

fn room(disk: u64, memory: u64, patience: u64) -> Arc<Room> {
    Arc::new(Room::new(
        &AppConfig {
            pgapp_temp_space_max: disk,
            pgapp_temp_memory_max: memory,
            pgapp_temp_space_timeout: patience,
            ..AppConfig::default()
        },
        None,
    ))
}

/// Bytes that differ everywhere.
fn pattern(len: u64) -> Vec<u8> {
    (0..u32::try_from(len / 4).unwrap()).flat_map(u32::to_be_bytes).collect()
}

async fn keep(room: &Arc<Room>, len: u64) -> Result<Spooled, NoRoom> {
    let mut spool = Spool::new(room);
    let mut buffer = BytesMut::new();
    // Pieces that are no power of two.
    for chunk in pattern(len).chunks(300_001) {
        buffer.extend_from_slice(chunk);
        if buffer.len() >= PIECE {
            spool.take(&mut buffer).await?;
            assert!(buffer.is_empty(), "what is put aside is not there any more");
        }
    }
    spool.finish(buffer).await
}

async fn read(spooled: &Spooled) -> io::Result<Vec<u8>> {
    let mut all = Vec::new();
    loop {
        let chunk = spooled.read(all.len() as u64).await?;
        if chunk.is_empty() {
            return Ok(all);
        }
        all.extend_from_slice(&chunk);
    }
}

#[tokio::test]
async fn what_goes_in_comes_out_wherever_it_is_kept() {
    for (disk, memory) in [(64, 0), (0, 64), (5, 64), (64, 2)] {
        let room = room(disk * MIB, memory * MIB, 0);
        let spooled = keep(&room, 11 * MIB).await.unwrap();
        assert_eq!(spooled.len(), 11 * MIB);
        assert!(read(&spooled).await.unwrap() == pattern(11 * MIB), "{disk} {memory}");
    }
}

#[tokio::test]
async fn a_body_that_was_there_comes_out() {
    let room = room(64 * MIB, 0, 0);
    let spooled = Spooled::of(&room, pattern(9 * MIB).into()).await.unwrap();
    assert!(read(&spooled).await.unwrap() == pattern(9 * MIB));
}

#[tokio::test]
async fn room_is_given_back_whatever_came_of_it() {
    let room = room(8 * MIB, MIB, 0);
    for _ in 0..5 {
        assert_eq!(keep(&room, 20 * MIB).await, Err(NoRoom::TooLarge));
        let spooled = keep(&room, 7 * MIB).await.unwrap();
        // No time to wait in.
        assert_eq!(keep(&room, 7 * MIB).await, Err(NoRoom::Busy));
        drop(spooled);
    }
    assert!(room.is_empty());
}

#[tokio::test]
async fn who_waits_gets_what_others_give_back() {
    let room = room(8 * MIB, 0, 60);
    let first = keep(&room, 7 * MIB).await.unwrap();
    let waiting = tokio::spawn({
        let room = Arc::clone(&room);
        async move { keep(&room, 7 * MIB).await }
    });
    while room.n_waiting() == 0 {
        assert!(!waiting.is_finished());
        tokio::task::yield_now().await;
    }
    drop(first);
    assert!(read(&waiting.await.unwrap().unwrap()).await.unwrap() == pattern(7 * MIB));
    assert!(room.is_empty());
}

#[tokio::test]
async fn what_nobody_reads_gives_way_to_who_waits() {
    let room = room(8 * MIB, 0, 2);
    let stalled = keep(&room, 7 * MIB).await.unwrap();
    assert!(!stalled.read(0).await.unwrap().is_empty());
    let second = keep(&room, 7 * MIB).await.unwrap();
    assert!(stalled.read(0).await.is_err(), "half of it must not pass for the whole");
    assert!(read(&second).await.unwrap() == pattern(7 * MIB));
    drop(stalled);
    drop(second);
    assert!(room.is_empty());
}

#[tokio::test]
async fn two_that_wait_for_each_other_are_told_apart() {
    let room = room(8 * MIB, 0, 60);
    let mut first = Spool::new(&room);
    let mut second = Spool::new(&room);
    let piece = || BytesMut::from(&pattern(3 * MIB)[..]);
    for spool in [&mut first, &mut second] {
        spool.take(&mut piece()).await.unwrap();
    }
    let waiting = tokio::spawn(async move {
        first.take(&mut piece()).await.unwrap();
        first
    });
    while room.n_waiting() == 0 {
        tokio::task::yield_now().await;
    }
    // Its wait could not end.
    assert_eq!(second.take(&mut piece()).await, Err(NoRoom::Busy));
    drop(second);
    drop(waiting.await.unwrap());
    assert!(room.is_empty());
}

#[tokio::test]
async fn not_everybody_waits() {
    // Of two connections to the database one may wait.
    let conf = AppConfig {
        db_pool: 2,
        pgapp_temp_space_max: 8 * MIB,
        pgapp_temp_memory_max: 0,
        ..AppConfig::default()
    };
    let room = Arc::new(Room::new(&conf, None));
    let first = keep(&room, 7 * MIB).await.unwrap();
    let waiting = tokio::spawn({
        let room = Arc::clone(&room);
        async move { keep(&room, 2 * MIB).await }
    });
    while room.n_waiting() == 0 {
        tokio::task::yield_now().await;
    }
    assert_eq!(keep(&room, 2 * MIB).await, Err(NoRoom::Busy));
    drop(first);
    waiting.await.unwrap().unwrap();
}
