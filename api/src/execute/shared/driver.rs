//! Sends what is on a shared connection, and hands out the answers.
//!
//! The first read drives: a lone one costs no more than on a connection of its own. When it is answered
//! and others are left, a task goes on with the shared connection until nobody is.

use std::collections::VecDeque;
use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Instant;

use tokio::time::Sleep;

use super::{DEPTH, PendingRead, Reply, SharedConnection, SharedConnections};
use crate::client::Disconnect;
use crate::error::DbError;
use crate::execute::body::Spooling;
use crate::execute::pool::{Lease, Pool};
use crate::execute::script_error::ScriptError;
use crate::execute::session::{Progress, ResponseReader};
use crate::execute::shapes::Encodable;
use crate::script::Script;
use crate::script::rows::Rows;

use crate::schema_cache::residue::Residue;
use crate::sql::types::MainQuery;
use tokio::sync::oneshot;

/// Runs a read on a connection, and takes others along. `None` if it is to be run again, elsewhere.
pub(in crate::execute) async fn lead(
    pool: &Pool,
    lease: Lease,
    query: &Arc<MainQuery>,
    encodable: &Arc<Encodable>,
    residue: Residue,
    disconnect: &Disconnect,
) -> Result<Option<Vec<Rows>>, DbError> {
    let shared = Arc::clone(pool.shared());
    let connection = shared.open(lease.generation(), lease.opened());
    let mut drive = Driver { lease, shared, connection, sent: VecDeque::with_capacity(4), late: None };
    drive.begin(query, encodable, residue)?;
    drive.shared.fill(&drive.connection);
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
            Step::Empty | Step::Abandoned => break Ok(None),
        }
    };
    drive.leave();
    own
}

/// A shared connection and who is on their way on it.
struct Driver {
    lease: Lease,
    shared: Arc<SharedConnections>,
    connection: Arc<SharedConnection>,
    sent: VecDeque<Sent>,
    /// Wakes when those behind the first have waited for long enough.
    late: Option<Pin<Box<Sleep>>>,
}

/// A read that was sent, or a reset.
struct Sent {
    response: ResponseReader,
    /// Not of a reset.
    read: Option<(Arc<MainQuery>, Arc<Encodable>)>,
    residue: Residue,
    /// What the shared connection counts for it.
    cost: u32,
    /// Something was before it when it was sent.
    follows: bool,
    recipient: Recipient,
}

enum Recipient {
    /// Whoever drives first.
    Own,
    PendingRead(oneshot::Sender<Reply>),
    /// Nobody waits for it.
    Left,
}

/// What a shared connection came to.
enum Event {
    /// The first is answered.
    Done,
    /// Its body is too large for memory.
    Full,
    /// It takes too long.
    Late,
    /// The same, and nobody waits for anything here.
    Abandoned,
    /// The connection is of no use any more.
    Lost(DbError),
    /// Nobody is on it.
    Empty,
}

enum Step {
    Going,
    Own(Result<Option<Vec<Rows>>, DbError>),
    Empty,
    Abandoned,
}

impl Recipient {
    /// Somebody waits for it.
    fn is_taken(&self) -> bool {
        match self {
            Self::Own => true,
            Self::PendingRead(reply) => !reply.is_closed(),
            Self::Left => false,
        }
    }
}

impl Driver {
    fn begin(
        &mut self,
        query: &Arc<MainQuery>,
        encodable: &Arc<Encodable>,
        residue: Residue,
    ) -> Result<(), DbError> {
        let cost = encodable.latency.cost();
        {
            let mut load = self.connection.lock();
            load.n_reads += 1;
            load.cost += cost;
        }
        self.enqueue(query, encodable, residue, cost, Recipient::Own).map_err(|(_, error)| error)
    }

    fn enqueue(
        &mut self,
        query: &Arc<MainQuery>,
        encodable: &Arc<Encodable>,
        residue: Residue,
        cost: u32,
        recipient: Recipient,
    ) -> Result<(), (Recipient, DbError)> {
        let script = Script::of_read(query, residue);
        let response = match self.lease.session().enqueue_read(&script, encodable) {
            Ok(response) => response,
            Err(error) => {
                self.counted_off(cost);
                return Err((recipient, error));
            }
        };
        let follows = !self.sent.is_empty();
        if !follows {
            self.connection.lock().front_since = Instant::now();
        }
        let read = Some((Arc::clone(query), Arc::clone(encodable)));
        self.sent.push_back(Sent { response, read, residue, cost, follows, recipient });
        Ok(())
    }

    fn counted_off(&self, cost: u32) {
        let mut load = self.connection.lock();
        load.n_reads = load.n_reads.saturating_sub(1);
        load.cost = load.cost.saturating_sub(cost);
    }

    async fn deal_with(&mut self, event: Event) -> Step {
        match event {
            Event::Done => self.answered().await,
            Event::Full => {
                let Some(front) = self.sent.front_mut() else { return Step::Going };
                if front.response.try_spool().await == Spooling::Done {
                    return Step::Going;
                }
                // That depends on other clients: nobody else is to wait for them.
                self.send_others_elsewhere();
                let Some(front) = self.sent.front_mut() else { return Step::Going };
                match front.response.spool().await {
                    Ok(()) => Step::Going,
                    Err(reason) => self.lost(reason.into()),
                }
            }
            Event::Late => {
                self.send_others_elsewhere();
                Step::Going
            }
            Event::Abandoned => {
                self.give_up();
                Step::Abandoned
            }
            Event::Lost(error) => self.lost(error),
            Event::Empty => Step::Empty,
        }
    }

    /// Those behind the first are run elsewhere; no read joins any more.
    fn send_others_elsewhere(&mut self) {
        self.connection.close();
        self.send_elsewhere(1);
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Event> {
        // Before looking, so that nobody joins unseen.
        self.connection.waker.register(cx.waker());
        loop {
            while self.sent.len() < DEPTH
                && let Some(PendingRead { query, encodable, residue, reply }) = self.connection.next_waiting()
            {
                let cost = encodable.latency.cost();
                if let Err((Recipient::PendingRead(reply), error)) =
                    self.enqueue(&query, &encodable, residue, cost, Recipient::PendingRead(reply))
                {
                    let _ = reply.send(Reply::Answer(Err(error)));
                }
            }
            let session = self.lease.session();
            if let Poll::Ready(Err(error)) = session.poll_send(cx) {
                return Poll::Ready(Event::Lost(error));
            }
            let taken = match self.sent.front_mut() {
                Some(front) => session.take(&mut front.response),
                None => session.skip_notices().map(|()| Progress::Under),
            };
            match taken {
                Ok(Progress::Under) => {}
                Ok(Progress::Full) => return Poll::Ready(Event::Full),
                Ok(Progress::Done) => return Poll::Ready(Event::Done),
                Err(error) => return Poll::Ready(Event::Lost(error)),
            }
            if self.sent.is_empty() {
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
        if let Some(Sent { recipient: Recipient::PendingRead(reply), .. }) = self.sent.front_mut() {
            // Asked so that this is polled again when its client leaves.
            let _ = reply.poll_closed(cx);
        }
        let is_abandoned = !self.sent.iter().any(|it| it.recipient.is_taken());
        if !is_abandoned
            && !self.sent.iter().skip(1).any(|it| matches!(it.recipient, Recipient::PendingRead(_)))
        {
            return Poll::Pending;
        }
        let front_since = self.connection.lock().front_since;
        let Some(due) = front_since.checked_add(self.connection.sharing.patience) else {
            return Poll::Pending;
        };
        // Asked of the clock and not of the timer: a long answer that keeps coming leaves no time for that.
        if Instant::now() >= due {
            return Poll::Ready(if is_abandoned { Event::Abandoned } else { Event::Late });
        }
        let sleep = self.late.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(due.into())));
        while sleep.as_mut().poll(cx).is_ready() {
            sleep.as_mut().reset(due.into());
        }
        Poll::Pending
    }

    /// Hands out what the first one was answered.
    async fn answered(&mut self) -> Step {
        let Some(mut front) = self.sent.pop_front() else { return Step::Going };
        let took = {
            let mut load = self.connection.lock();
            let now = Instant::now();
            let took = now.saturating_duration_since(load.front_since);
            load.front_since = now;
            load.n_reads = load.n_reads.saturating_sub(1);
            load.cost = load.cost.saturating_sub(front.cost);
            took
        };
        let Some((query, encodable)) = front.read else {
            self.lease.session().settle_reset(front.response).await;
            if !self.lease.session().is_between_transactions() {
                self.give_up();
            }
            return Step::Going;
        };
        match front.follows {
            true => encodable.latency.followed(took, self.connection.sharing.quick),
            false => encodable.latency.took(took),
        }
        let session = self.lease.session();
        session.settle(&mut front.response);
        let failed = front.response.has_failed();
        if failed || front.response.leaves_residue() || session.take_change() {
            self.reset(front.residue, !failed || front.residue.commands);
        }
        let outcome = match front.response.finish().await {
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
        hand_out(front.recipient, outcome)
    }

    /// Clears up behind those that were sent. Whoever may have noticed what was left is sent elsewhere.
    fn reset(&mut self, residue: Residue, may_be_noticed: bool) {
        if may_be_noticed {
            self.connection.close();
            self.send_elsewhere(0);
        }
        match self.lease.session().enqueue_reset(residue) {
            Ok(response) => {
                let follows = !self.sent.is_empty();
                let recipient = Recipient::Left;
                self.connection.lock().n_reads += 1;
                self.sent.push_back(Sent { response, read: None, residue, cost: 0, follows, recipient });
            }
            Err(_) => self.give_up(),
        }
    }

    /// Those from the given one on are answered elsewhere; what still comes of them here is thrown away.
    fn send_elsewhere(&mut self, from: usize) {
        for it in self.sent.iter_mut().skip(from) {
            if let Recipient::PendingRead(reply) = std::mem::replace(&mut it.recipient, Recipient::Left) {
                let _ = reply.send(Reply::Elsewhere);
            }
        }
    }

    /// The connection is of no use any more. The query whose turn it was may have done that.
    fn lost(&mut self, error: DbError) -> Step {
        let front = self.sent.pop_front();
        self.give_up();
        self.lease.went_well(false);
        let Some(mut front) = front else { return Step::Going };
        // A server that ends the session says why before it does.
        let error = front.response.failed().map_or(error, |it: ScriptError| it.into());
        hand_out(front.recipient, Err(error))
    }

    /// Sends everybody elsewhere.
    fn give_up(&mut self) {
        self.connection.close();
        for it in self.sent.drain(..) {
            self.connection.lock().n_reads -= 1;
            if let Recipient::PendingRead(reply) = it.recipient {
                let _ = reply.send(Reply::Elsewhere);
            }
        }
    }

    /// Nobody waits for what the first one asked for.
    fn own_left(&mut self) {
        for it in &mut self.sent {
            if let Recipient::Own = it.recipient {
                it.recipient = Recipient::Left;
            }
        }
        self.lease.went_well(false);
    }

    /// Ends the shared connection, or leaves it to a task if there are others on it.
    fn leave(self) {
        if !self.sent.is_empty() || !self.connection.close_if_empty() {
            tokio::spawn(self.rest());
        }
    }

    async fn rest(mut self) {
        loop {
            let event = poll_fn(|cx| self.poll(cx)).await;
            match self.deal_with(event).await {
                Step::Empty if self.connection.close_if_empty() => return,
                Step::Abandoned => return,
                Step::Empty | Step::Going | Step::Own(_) => {}
            }
        }
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        // Nobody is left, unless whoever drove is gone.
        self.connection.close();
        self.shared.remove(&self.connection);
    }
}

fn hand_out(recipient: Recipient, outcome: Result<Option<Vec<Rows>>, DbError>) -> Step {
    match recipient {
        Recipient::Own => return Step::Own(outcome),
        Recipient::PendingRead(reply) => {
            let reply_with = match outcome {
                Ok(Some(results)) => Reply::Answer(Ok(results)),
                Ok(None) => Reply::Elsewhere,
                Err(error) => Reply::Answer(Err(error)),
            };
            let _ = reply.send(reply_with);
        }
        Recipient::Left => {}
    }
    Step::Going
}
