//! The room that large answers share: bytes of temporary files, and of memory where there is no room on disk.
//!
//! Whoever needs more than there is waits for others to be sent, for a bounded time. Meanwhile an answer whose
//! client takes nothing gives way: no client holds room forever that others need. A wait that cannot end is not begun:
//! where all who hold room wait for more of it, the last one to come fails.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

use tokio::sync::Notify;

use super::Kept;
use crate::config::AppConfig;
use crate::error::NoRoom;
use crate::observability::{Observation, Observer};

/// How often a waiting task looks for an answer that has to give way.
const LOOK: Duration = Duration::from_millis(100);

/// The room, and who has what of it.
pub struct Room {
    disk: u64,
    memory: u64,
    patience: Duration,
    /// Each of those who wait has a connection to the database meanwhile; others need some, too.
    max_waiting: usize,
    held: Mutex<Held>,
    freed: Notify,
    /// The log knows that the folder cannot be used.
    told: AtomicBool,
    observer: Option<Observer>,
}

#[derive(Default)]
struct Held {
    disk: u64,
    memory: u64,
    /// Answers that hold something and do not wait for more.
    n_moving: usize,
    n_waiting: usize,
    /// Finished ones.
    kept: Vec<Weak<Kept>>,
}

/// Where a piece is to be kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    Disk,
    Memory,
}

impl Default for Room {
    fn default() -> Self {
        Self::new(&AppConfig::default(), None)
    }
}

impl Room {
    /// The room that a configuration gives.
    pub fn new(conf: &AppConfig, observer: Option<Observer>) -> Self {
        Self {
            disk: conf.pgapp_temp_space_max,
            memory: conf.pgapp_temp_memory_max,
            patience: Duration::from_secs(conf.pgapp_temp_space_timeout),
            max_waiting: conf.db_pool / 2,
            held: Mutex::default(),
            freed: Notify::new(),
            told: AtomicBool::new(false),
            observer,
        }
    }

    fn lock(&self) -> MutexGuard<'_, Held> {
        // Numbers are whole whatever panicked beside them.
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    #[cfg(test)]
    pub(super) fn n_waiting(&self) -> usize {
        self.lock().n_waiting
    }

    #[cfg(test)]
    pub(super) fn is_empty(&self) -> bool {
        let held = self.lock();
        (held.disk, held.memory, held.n_moving, held.n_waiting) == (0, 0, 0, 0)
    }

    /// Whether the folder for temporary files can be used, for the log: told when it changes.
    pub(super) fn folder(&self, outcome: Result<(), &std::io::Error>) {
        match outcome {
            Ok(()) => self.told.store(false, Ordering::Relaxed),
            Err(error) => {
                if !self.told.swap(true, Ordering::Relaxed)
                    && let Some(observer) = &self.observer
                {
                    observer.observe(&Observation::TempFolder(error));
                }
            }
        }
    }

    /// Takes note of an answer that is ready to be sent.
    pub(super) fn finished(&self, kept: &Arc<Kept>) {
        let mut held = self.lock();
        held.kept.retain(|it| it.strong_count() > 0);
        held.kept.push(Arc::downgrade(kept));
    }

    /// Makes the answer give way that nobody has taken anything of for longest, if that is long.
    fn reclaim(&self) {
        let kept: Vec<_> = self.lock().kept.iter().filter_map(Weak::upgrade).collect();
        let stalled = self.patience / 2;
        let idle = kept.iter().filter_map(|it| Some((it.idle()?, it)));
        if let Some((_, it)) = idle.filter(|(idle, _)| *idle >= stalled).max_by_key(|(idle, _)| *idle) {
            it.give_way();
        }
    }
}

/// What one answer has of the room. Given back when it is dropped.
pub(super) struct Claim {
    room: Arc<Room>,
    disk: u64,
    memory: u64,
}

impl Claim {
    pub(super) fn new(room: Arc<Room>) -> Self {
        Self { room, disk: 0, memory: 0 }
    }

    pub(super) fn room(&self) -> &Arc<Room> {
        &self.room
    }

    fn holds_something(&self) -> bool {
        self.disk + self.memory > 0
    }

    /// Takes so much, if it is there.
    pub(super) fn take(&mut self, place: Place, n_bytes: u64) -> bool {
        let mut held = self.room.lock();
        let (of_all, most) = match place {
            Place::Disk => (&mut held.disk, self.room.disk),
            Place::Memory => (&mut held.memory, self.room.memory),
        };
        if most.saturating_sub(*of_all) < n_bytes {
            return false;
        }
        *of_all += n_bytes;
        held.n_moving += usize::from(!self.holds_something() && n_bytes > 0);
        match place {
            Place::Disk => self.disk += n_bytes,
            Place::Memory => self.memory += n_bytes,
        }
        true
    }

    /// Gives back what was taken of the disk in vain.
    pub(super) fn untake(&mut self, n_bytes: u64) {
        let mut held = self.room.lock();
        let held_something = self.holds_something();
        self.disk -= n_bytes;
        held.disk -= n_bytes;
        held.n_moving -= usize::from(held_something && !self.holds_something());
    }

    /// So much more fits nowhere, even if all others were gone.
    pub(super) fn is_hopeless(&self, n_bytes: u64) -> bool {
        self.room.disk.saturating_sub(self.disk) < n_bytes
            && self.room.memory.saturating_sub(self.memory) < n_bytes
    }

    /// Begins to wait for others, if that can help.
    pub(super) fn wait(&self) -> Result<Wait, NoRoom> {
        let mut held = self.room.lock();
        let own = usize::from(self.holds_something());
        if held.n_moving == own {
            // Nobody would give anything back, but by failing.
            return Err(if held.n_waiting == 0 { NoRoom::TooLarge } else { NoRoom::Busy });
        }
        if held.n_waiting >= self.room.max_waiting || self.room.patience.is_zero() {
            return Err(NoRoom::Busy);
        }
        held.n_waiting += 1;
        held.n_moving -= own;
        let room = Arc::clone(&self.room);
        Ok(Wait { room, own, until: Instant::now() + self.room.patience })
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        if !self.holds_something() {
            return;
        }
        {
            let mut held = self.room.lock();
            held.disk -= self.disk;
            held.memory -= self.memory;
            held.n_moving -= 1;
        }
        self.room.freed.notify_waiters();
    }
}

/// A wait for room.
pub(super) struct Wait {
    room: Arc<Room>,
    /// 1 if the waiting task holds something.
    own: usize,
    until: Instant,
}

impl Wait {
    /// Resolves when it is worth another try.
    pub(super) async fn next(&self) -> Result<(), NoRoom> {
        let freed = self.room.freed.notified();
        if Instant::now() >= self.until {
            return Err(NoRoom::Busy);
        }
        self.room.reclaim();
        // Not only when something was given back here: room on the disk may come from elsewhere.
        let _ = tokio::time::timeout(LOOK, freed).await;
        Ok(())
    }
}

impl Drop for Wait {
    fn drop(&mut self) {
        let mut held = self.room.lock();
        held.n_waiting -= 1;
        held.n_moving += self.own;
    }
}
