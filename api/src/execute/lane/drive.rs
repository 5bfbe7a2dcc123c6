//! Sends what is on a lane, and hands out the answers.
//!
//! The first read drives: a lone one costs no more than on a connection of its own. When it is answered
//! and others are left, a task goes on with the lane until nobody is.

use std::collections::VecDeque;
use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Instant;

use tokio::time::Sleep;

use super::{DEPTH, Lane, Lanes, Reply, Rider};
use crate::client::Disconnect;
use crate::error::DbError;
use crate::execute::body::Spilled;
use crate::execute::pool::{Lease, Pool};
use crate::execute::rows::Rows;
use crate::execute::script::Script;
use crate::execute::session::{Landing, Progress};
use crate::execute::shapes::Encodable;
use crate::execute::wire::ServerError;
use crate::schema_cache::leavings::Leavings;
use crate::sql::types::MainQuery;
use tokio::sync::oneshot;

/// Runs a read on a connection, and takes others along. `None` if it is to be run again, elsewhere.
pub(in crate::execute) async fn lead(
    pool: &Pool,
    lease: Lease,
    query: &Arc<MainQuery>,
    encodable: &Arc<Encodable>,
    leavings: Leavings,
    disconnect: &Disconnect,
) -> Result<Option<Vec<Rows>>, DbError> {
    let lanes = Arc::clone(pool.lanes());
    let lane = lanes.open(lease.generation(), lease.opened());
    let mut drive = Drive { lease, lanes, lane, flying: VecDeque::with_capacity(4), late: None };
    drive.begin(query, encodable, leavings)?;
    drive.lanes.fill(&drive.lane);
    let mut left = pin!(disconnect.happened());
    let own = loop {
        // Looking is what may be given up at any time; dealing with what was seen is not.
        let event = tokio::select! {
            biased;
            event = poll_fn(|cx| drive.poll(cx)) => event,
            () = left.as_mut() => {
                drive.own_left();
                break Err(DbError::Abandoned);
            }
        };
        match drive.deal_with(event).await {
            Step::Own(outcome) => break outcome,
            Step::Going => {}
            Step::Empty | Step::Forsaken => break Ok(None),
        }
    };
    drive.leave();
    own
}

/// A lane and who is on their way on it.
struct Drive {
    lease: Lease,
    lanes: Arc<Lanes>,
    lane: Arc<Lane>,
    flying: VecDeque<Flying>,
    /// Wakes when those behind the first have waited for long enough.
    late: Option<Pin<Box<Sleep>>>,
}

/// A read that was sent, or a scrub.
struct Flying {
    landing: Landing,
    /// Not of a scrub.
    read: Option<(Arc<MainQuery>, Arc<Encodable>)>,
    leavings: Leavings,
    /// What the lane counts for it.
    cost: u32,
    /// Something was before it when it was sent.
    follows: bool,
    seat: Seat,
}

enum Seat {
    /// Whoever drives first.
    Own,
    Rider(oneshot::Sender<Reply>),
    /// Nobody waits for it.
    Left,
}

/// What a lane came to.
enum Event {
    /// The first is answered.
    Done,
    /// Its body is too large for memory.
    Full,
    /// It takes too long.
    Late,
    /// The same, and nobody waits for anything here.
    Forsaken,
    /// The connection is of no use any more.
    Lost(DbError),
    /// Nobody is on it.
    Empty,
}

enum Step {
    Going,
    Own(Result<Option<Vec<Rows>>, DbError>),
    Empty,
    Forsaken,
}

impl Seat {
    /// Somebody waits for it.
    fn is_taken(&self) -> bool {
        match self {
            Self::Own => true,
            Self::Rider(reply) => !reply.is_closed(),
            Self::Left => false,
        }
    }
}

impl Drive {
    fn begin(
        &mut self,
        query: &Arc<MainQuery>,
        encodable: &Arc<Encodable>,
        leavings: Leavings,
    ) -> Result<(), DbError> {
        let cost = encodable.pace.cost();
        {
            let mut load = self.lane.lock();
            load.n_aboard += 1;
            load.cost += cost;
        }
        self.launch(query, encodable, leavings, cost, Seat::Own).map_err(|(_, error)| error)
    }

    fn launch(
        &mut self,
        query: &Arc<MainQuery>,
        encodable: &Arc<Encodable>,
        leavings: Leavings,
        cost: u32,
        seat: Seat,
    ) -> Result<(), (Seat, DbError)> {
        let script = Script::of_read(query, leavings);
        let landing = match self.lease.session().launch_read(&script, encodable) {
            Ok(landing) => landing,
            Err(error) => {
                self.counted_off(cost);
                return Err((seat, error));
            }
        };
        let follows = !self.flying.is_empty();
        if !follows {
            self.lane.lock().front_since = Instant::now();
        }
        let read = Some((Arc::clone(query), Arc::clone(encodable)));
        self.flying.push_back(Flying { landing, read, leavings, cost, follows, seat });
        Ok(())
    }

    fn counted_off(&self, cost: u32) {
        let mut load = self.lane.lock();
        load.n_aboard = load.n_aboard.saturating_sub(1);
        load.cost = load.cost.saturating_sub(cost);
    }

    async fn deal_with(&mut self, event: Event) -> Step {
        match event {
            Event::Done => self.landed().await,
            Event::Full => {
                let Some(front) = self.flying.front_mut() else { return Step::Going };
                if front.landing.try_spill().await == Spilled::Done {
                    return Step::Going;
                }
                // That depends on other clients: nobody else is to wait for them.
                self.send_others_elsewhere();
                let Some(front) = self.flying.front_mut() else { return Step::Going };
                match front.landing.spill().await {
                    Ok(()) => Step::Going,
                    Err(reason) => self.lost(reason.into()),
                }
            }
            Event::Late => {
                self.send_others_elsewhere();
                Step::Going
            }
            Event::Forsaken => {
                self.give_up();
                Step::Forsaken
            }
            Event::Lost(error) => self.lost(error),
            Event::Empty => Step::Empty,
        }
    }

    /// Those behind the first are run elsewhere; nobody gets on any more.
    fn send_others_elsewhere(&mut self) {
        self.lane.close();
        self.send_elsewhere(1);
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Event> {
        // Before looking, so that nobody gets on unseen.
        self.lane.waker.register(cx.waker());
        loop {
            while self.flying.len() < DEPTH
                && let Some(Rider { query, encodable, leavings, reply }) = self.lane.next_waiting()
            {
                let cost = encodable.pace.cost();
                if let Err((Seat::Rider(reply), error)) =
                    self.launch(&query, &encodable, leavings, cost, Seat::Rider(reply))
                {
                    let _ = reply.send(Reply::Answer(Err(error)));
                }
            }
            let session = self.lease.session();
            if let Poll::Ready(Err(error)) = session.poll_send(cx) {
                return Poll::Ready(Event::Lost(error));
            }
            let taken = match self.flying.front_mut() {
                Some(front) => session.take(&mut front.landing),
                None => session.skip_notices().map(|()| Progress::Under),
            };
            match taken {
                Ok(Progress::Under) => {}
                Ok(Progress::Full) => return Poll::Ready(Event::Full),
                Ok(Progress::Done) => return Poll::Ready(Event::Done),
                Err(error) => return Poll::Ready(Event::Lost(error)),
            }
            if self.flying.is_empty() {
                return Poll::Ready(Event::Empty);
            }
            match session.poll_receive(cx) {
                Poll::Ready(Ok(())) => {}
                Poll::Ready(Err(error)) => return Poll::Ready(Event::Lost(error)),
                Poll::Pending => break,
            }
        }
        self.poll_late(cx)
    }

    /// Somebody is behind the first, which has had its time, or nobody waits any more.
    fn poll_late(&mut self, cx: &mut Context<'_>) -> Poll<Event> {
        if let Some(Flying { seat: Seat::Rider(reply), .. }) = self.flying.front_mut() {
            // Asked so that this is polled again when its client leaves.
            let _ = reply.poll_closed(cx);
        }
        let is_forsaken = !self.flying.iter().any(|it| it.seat.is_taken());
        if !is_forsaken && !self.flying.iter().skip(1).any(|it| matches!(it.seat, Seat::Rider(_))) {
            return Poll::Pending;
        }
        let front_since = self.lane.lock().front_since;
        let Some(due) = front_since.checked_add(self.lane.sharing.patience) else { return Poll::Pending };
        // Asked of the clock and not of the timer: a long answer that keeps coming leaves no time for that.
        if Instant::now() >= due {
            return Poll::Ready(if is_forsaken { Event::Forsaken } else { Event::Late });
        }
        let sleep = self.late.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(due.into())));
        while sleep.as_mut().poll(cx).is_ready() {
            sleep.as_mut().reset(due.into());
        }
        Poll::Pending
    }

    /// Hands out what the first one was answered.
    async fn landed(&mut self) -> Step {
        let Some(mut front) = self.flying.pop_front() else { return Step::Going };
        let took = {
            let mut load = self.lane.lock();
            let now = Instant::now();
            let took = now.saturating_duration_since(load.front_since);
            load.front_since = now;
            load.n_aboard = load.n_aboard.saturating_sub(1);
            load.cost = load.cost.saturating_sub(front.cost);
            took
        };
        let Some((query, encodable)) = front.read else {
            self.lease.session().settle_scrub(front.landing).await;
            if !self.lease.session().is_between_transactions() {
                self.give_up();
            }
            return Step::Going;
        };
        match front.follows {
            true => encodable.pace.followed(took, self.lane.sharing.quick),
            false => encodable.pace.took(took),
        }
        let session = self.lease.session();
        session.settle(&mut front.landing);
        let failed = front.landing.has_failed();
        if failed || front.landing.leaves_something() || session.take_change() {
            self.scrub(front.leavings, !failed || front.leavings.commands);
        }
        let outcome = match front.landing.finish().await {
            Ok(Err(error)) if error.is_stale_statement() => {
                self.lease.session().forget_statements(query.rows.as_ref());
                Ok(None)
            }
            Ok(Ok(results)) => Ok(Some(results)),
            Ok(Err(error)) => Err(error.into()),
            Err(error) => Err(error),
        };
        self.lease.went_well(outcome.is_ok());
        if !self.lease.session().is_between_transactions() {
            self.give_up();
        }
        hand_out(front.seat, outcome)
    }

    /// Clears up behind those that were sent. Whoever may have noticed what was left is sent elsewhere.
    fn scrub(&mut self, leavings: Leavings, may_be_noticed: bool) {
        if may_be_noticed {
            self.lane.close();
            self.send_elsewhere(0);
        }
        match self.lease.session().launch_scrub(leavings) {
            Ok(landing) => {
                let follows = !self.flying.is_empty();
                let seat = Seat::Left;
                self.lane.lock().n_aboard += 1;
                self.flying.push_back(Flying { landing, read: None, leavings, cost: 0, follows, seat });
            }
            Err(_) => self.give_up(),
        }
    }

    /// Those from the given one on are answered elsewhere; what still comes of them here is thrown away.
    fn send_elsewhere(&mut self, from: usize) {
        for it in self.flying.iter_mut().skip(from) {
            if let Seat::Rider(reply) = std::mem::replace(&mut it.seat, Seat::Left) {
                let _ = reply.send(Reply::Elsewhere);
            }
        }
    }

    /// The connection is of no use any more. The query whose turn it was may have done that.
    fn lost(&mut self, error: DbError) -> Step {
        let front = self.flying.pop_front();
        self.give_up();
        self.lease.went_well(false);
        let Some(mut front) = front else { return Step::Going };
        // A server that ends the session says why before it does.
        let error = front.landing.failed().map_or(error, |it: ServerError| it.into());
        hand_out(front.seat, Err(error))
    }

    /// Sends everybody elsewhere.
    fn give_up(&mut self) {
        self.lane.close();
        for it in self.flying.drain(..) {
            self.lane.lock().n_aboard -= 1;
            if let Seat::Rider(reply) = it.seat {
                let _ = reply.send(Reply::Elsewhere);
            }
        }
    }

    /// Nobody waits for what the first one asked for.
    fn own_left(&mut self) {
        for it in &mut self.flying {
            if let Seat::Own = it.seat {
                it.seat = Seat::Left;
            }
        }
        self.lease.went_well(false);
    }

    /// Ends the lane, or leaves it to a task if there are others on it.
    fn leave(self) {
        if !self.flying.is_empty() || !self.lane.close_if_empty() {
            tokio::spawn(self.rest());
        }
    }

    async fn rest(mut self) {
        loop {
            let event = poll_fn(|cx| self.poll(cx)).await;
            match self.deal_with(event).await {
                Step::Empty if self.lane.close_if_empty() => return,
                Step::Forsaken => return,
                Step::Empty | Step::Going | Step::Own(_) => {}
            }
        }
    }
}

impl Drop for Drive {
    fn drop(&mut self) {
        // Nobody is left, unless whoever drove is gone.
        self.lane.close();
        self.lanes.remove(&self.lane);
    }
}

fn hand_out(seat: Seat, outcome: Result<Option<Vec<Rows>>, DbError>) -> Step {
    match seat {
        Seat::Own => return Step::Own(outcome),
        Seat::Rider(reply) => {
            let reply_with = match outcome {
                Ok(Some(results)) => Reply::Answer(Ok(results)),
                Ok(None) => Reply::Elsewhere,
                Err(error) => Reply::Answer(Err(error)),
            };
            let _ = reply.send(reply_with);
        }
        Seat::Left => {}
    }
    Step::Going
}
