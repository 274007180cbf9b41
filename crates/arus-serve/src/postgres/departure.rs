//! Whether a client has gone while its rows are computed. Its connection is not read then, so nobody else would notice.
//!
//! Only reading ends with its client: a statement that writes is brought to its end.

use std::os::fd::AsFd;
use std::time::Duration;

use futures::FutureExt;
use pgwire::tokio::server::MaybeTls;
use tokio::io::Interest;
use tokio::net::TcpStream;

use super::progress::Progress;

/// Between two looks.
const LOOK: Duration = Duration::from_millis(250);

/// Another handle of the client's socket, while a statement of its runs.
pub(super) struct Departure(Option<std::net::TcpStream>);

impl Departure {
    pub(super) fn of(socket: &MaybeTls) -> Self {
        let socket = match socket {
            MaybeTls::Plain(socket) => socket,
            MaybeTls::Tls(socket) => socket.get_ref().0,
            _ => return Departure(None),
        };
        let handle = socket.as_fd().try_clone_to_owned();
        Departure(handle.map_err(|e| tracing::debug!("a client is not watched: {e}")).ok().map(Into::into))
    }

    /// Ready when the client has gone and its rows are still computed.
    pub(super) async fn seen(self, progress: &Progress) {
        // Most statements end before the first look.
        tokio::time::sleep(LOOK).await;
        let socket =
            self.0.map(TcpStream::from_std).and_then(|s| s.map_err(|e| tracing::debug!("not watched: {e}")).ok());
        let Some(socket) = socket else { return std::future::pending().await };
        loop {
            tokio::time::sleep(LOOK).await;
            let ready = socket.ready(Interest::READABLE).now_or_never();
            let closed = ready.is_some_and(|ready| ready.is_ok_and(|ready| ready.is_read_closed()));
            if closed && progress.computes() {
                return;
            }
        }
    }
}
