//! Rows that go to the client as they come.

use std::future::poll_fn;
use std::sync::Arc;
use std::task::Poll;

use super::Session;
use super::response::ResponseReader;
use crate::error::DbError;
use crate::execute::stream::Sink;
use crate::script::Script;
use crate::script::rows::Rows;

impl Session {
    /// Runs a script whose rows go to the client as they come.
    pub(in crate::execute) async fn run_to(
        &mut self,
        script: &Script<'_>,
        sink: Sink,
    ) -> Result<Vec<Rows>, DbError> {
        self.sink = Some(sink);
        let outcome = self.run(script).await;
        self.sink = None;
        outcome
    }

    /// Receives more. Where that has to be waited for, the client gets what there is.
    pub(super) async fn receive_for_stream(&mut self, response: &mut ResponseReader) -> Result<(), DbError> {
        let received = poll_fn(|cx| {
            Poll::Ready(match self.wire.poll_receive(cx) {
                Poll::Ready(received) => Some(received),
                Poll::Pending => None,
            })
        });
        if let Some(received) = received.await {
            return Ok(received?);
        }
        self.flush(response).await?;
        Ok(poll_fn(|cx| self.wire.poll_receive(cx)).await?)
    }

    /// Has the client take what there is. The server is not to blame for how long that takes.
    pub(super) async fn flush(&mut self, response: &mut ResponseReader) -> Result<(), DbError> {
        let liveness = Arc::clone(self.wire.liveness());
        let _paused = liveness.pause();
        response.flush().await
    }
}
