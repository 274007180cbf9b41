//! A TCP proxy in user space, between a client and a server that must be seen to fail: cut, slow, half open, a reply that
//! is lost, a request that comes late.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// How often a connection looks whether something was changed.
const LOOK: Duration = Duration::from_millis(5);

#[derive(Default)]
struct Faults {
    /// New connections are closed, open ones were.
    cut: bool,
    /// Nothing goes through, and nobody is told.
    half_open: bool,
    /// Before each piece that goes through.
    delay: Duration,
    /// The reply to the next request with these bytes is dropped, and its connection with it.
    lose_reply_to: Option<Vec<u8>>,
    lost: u64,
    /// The next request with these bytes waits, even if its client goes.
    hold: Option<Vec<u8>>,
    holding: bool,
    /// What waited never arrives.
    discarded: bool,
    /// Goes up with each cut.
    generation: u64,
    ended: bool,
}

struct Shared {
    faults: Mutex<Faults>,
    changed: Condvar,
}

impl Shared {
    fn faults(&self) -> MutexGuard<'_, Faults> {
        self.faults.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Ends with its value.
pub struct Proxy {
    address: SocketAddr,
    shared: Arc<Shared>,
}

impl Proxy {
    /// Listens on a free port of the loopback.
    pub fn start(server: SocketAddr) -> std::io::Result<Proxy> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared { faults: Mutex::default(), changed: Condvar::new() });
        let accepting = shared.clone();
        std::thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                let (cut, ended) = {
                    let faults = accepting.faults();
                    (faults.cut, faults.ended)
                };
                if ended {
                    return;
                }
                if cut {
                    continue;
                }
                let Ok(server) = TcpStream::connect(server) else { continue };
                connect(&accepting, &client, &server);
            }
        });
        Ok(Proxy { address, shared })
    }

    pub fn port(&self) -> u16 {
        self.address.port()
    }

    fn change(&self, change: impl FnOnce(&mut Faults)) {
        change(&mut self.shared.faults());
        self.shared.changed.notify_all();
    }

    /// Closes every connection and lets none in.
    pub fn cut(&self) {
        self.change(|f| {
            f.cut = true;
            f.generation += 1;
        });
    }

    /// Closes every connection; new ones get through.
    pub fn cut_once(&self) {
        self.change(|f| f.generation += 1);
    }

    /// Connections stay, nothing goes through.
    pub fn half_open(&self) {
        self.change(|f| f.half_open = true);
    }

    pub fn slow(&self, delay: Duration) {
        self.change(|f| f.delay = delay);
    }

    /// The reply to the next request with these bytes is lost: the server has done it, and the client never knows.
    pub fn lose_reply_to(&self, needle: &[u8]) {
        self.change(|f| f.lose_reply_to = Some(needle.to_vec()));
    }

    /// How many replies were lost.
    pub fn lost(&self) -> u64 {
        self.shared.faults().lost
    }

    /// The next request with these bytes waits for [`Self::release`], even if its client goes meanwhile.
    pub fn hold(&self, needle: &[u8]) {
        self.change(|f| f.hold = Some(needle.to_vec()));
    }

    /// Whether a request waits.
    pub fn is_holding(&self) -> bool {
        self.shared.faults().holding
    }

    pub fn release(&self) {
        self.change(|f| f.holding = false);
    }

    /// What waits never arrives: its connection is cut.
    pub fn discard(&self) {
        self.change(|f| {
            f.holding = false;
            f.discarded = true;
        });
    }

    /// Everything goes through again.
    pub fn heal(&self) {
        self.change(|f| {
            f.cut = false;
            f.half_open = false;
            f.delay = Duration::ZERO;
            f.lose_reply_to = None;
            f.hold = None;
        });
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.change(|f| {
            f.ended = true;
            f.holding = false;
            f.generation += 1;
        });
        // Wakes the listener, which ends.
        drop(TcpStream::connect(self.address));
    }
}

/// One connection, both ways.
#[derive(Clone)]
struct Way {
    shared: Arc<Shared>,
    generation: u64,
    /// Nothing of the server's reaches the client any more.
    deaf: Arc<AtomicBool>,
    /// The client has gone, but its request waits.
    detached: Arc<AtomicBool>,
    over: Arc<AtomicBool>,
}

fn connect(shared: &Arc<Shared>, client: &TcpStream, server: &TcpStream) {
    let way = Way {
        shared: shared.clone(),
        generation: shared.faults().generation,
        deaf: Arc::default(),
        detached: Arc::default(),
        over: Arc::default(),
    };
    for (from, to, asks) in [(client, server, true), (server, client, false)] {
        let (Ok(from), Ok(to)) = (from.try_clone(), to.try_clone()) else { return };
        let way = way.clone();
        std::thread::spawn(move || {
            way.pump(&from, &to, asks);
            way.over.store(true, SeqCst);
            for stream in [from, to] {
                // It may be closed already.
                stream.shutdown(Shutdown::Both).unwrap_or_default();
            }
        });
    }
}

impl Way {
    fn pump(&self, mut from: &TcpStream, mut to: &TcpStream, asks: bool) {
        let mut buffer = vec![0; 64 << 10];
        if from.set_read_timeout(Some(LOOK)).is_err() || to.set_nodelay(true).is_err() {
            return;
        }
        loop {
            if self.is_over() {
                return;
            }
            if self.shared.faults().half_open {
                self.look_later();
                continue;
            }
            let read = match from.read(&mut buffer) {
                Ok(0) => return,
                Ok(n) => n,
                Err(e) if matches!(e.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => continue,
                Err(_) => return,
            };
            let delay = self.shared.faults().delay;
            if !delay.is_zero() {
                self.wait_for(delay);
            }
            while self.shared.faults().half_open && !self.is_over() {
                self.look_later();
            }
            if asks {
                if !self.before_request(&buffer[..read]) {
                    return;
                }
            } else if self.deaf.load(SeqCst) {
                // The reply came, and is lost.
                self.shared.faults().lost += 1;
                return;
            }
            if to.write_all(&buffer[..read]).is_err() && !self.detached.load(SeqCst) {
                return;
            }
        }
    }

    fn is_over(&self) -> bool {
        let gone = self.shared.faults().generation != self.generation && !self.detached.load(SeqCst);
        gone || self.over.load(SeqCst)
    }

    /// Whether the request goes on.
    fn before_request(&self, bytes: &[u8]) -> bool {
        let has = |needle: &Option<Vec<u8>>| {
            needle.as_ref().is_some_and(|n| bytes.windows(n.len()).any(|window| window == n.as_slice()))
        };
        let mut faults = self.shared.faults();
        if has(&faults.lose_reply_to) {
            faults.lose_reply_to = None;
            self.deaf.store(true, SeqCst);
        }
        if has(&faults.hold) {
            faults.hold = None;
            faults.holding = true;
            self.detached.store(true, SeqCst);
            self.shared.changed.notify_all();
            while faults.holding {
                faults = self.shared.changed.wait(faults).unwrap_or_else(PoisonError::into_inner);
            }
            return !std::mem::take(&mut faults.discarded);
        }
        true
    }

    fn look_later(&self) {
        self.wait_for(LOOK);
    }

    /// Waits, but not beyond the end.
    fn wait_for(&self, time: Duration) {
        let faults = self.shared.faults();
        let waited = self.shared.changed.wait_timeout_while(faults, time, |f| !f.ended);
        drop(waited.unwrap_or_else(PoisonError::into_inner));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A server that answers each piece with the same bytes.
    fn echo() -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address");
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                std::thread::spawn(move || {
                    let mut buffer = [0; 1_024];
                    while let Ok(n @ 1..) = (&stream).read(&mut buffer) {
                        if (&stream).write_all(&buffer[..n]).is_err() {
                            return;
                        }
                    }
                });
            }
        });
        address
    }

    fn ask(stream: &TcpStream, text: &str) -> std::io::Result<String> {
        stream.set_read_timeout(Some(Duration::from_millis(300)))?;
        (&mut &*stream).write_all(text.as_bytes())?;
        let mut buffer = [0; 1_024];
        let n = (&mut &*stream).read(&mut buffer)?;
        if n == 0 {
            return Err(ErrorKind::UnexpectedEof.into());
        }
        Ok(String::from_utf8_lossy(&buffer[..n]).into_owned())
    }

    #[test]
    fn every_fault_does_what_it_says() {
        let proxy = Proxy::start(echo()).expect("starts");
        let open = || TcpStream::connect(("127.0.0.1", proxy.port())).expect("connects");
        let stream = open();
        assert_eq!(ask(&stream, "a").expect("goes through"), "a");
        proxy.lose_reply_to(b"COMMIT");
        assert_eq!(ask(&stream, "b").expect("goes through"), "b");
        ask(&stream, "COMMIT").expect_err("its reply is lost");
        assert_eq!(proxy.lost(), 1);
        let stream = open();
        assert_eq!(ask(&stream, "COMMIT").expect("only one"), "COMMIT");
        proxy.half_open();
        let silent = ask(&stream, "c").expect_err("silence");
        assert!(matches!(silent.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut), "{silent}");
        proxy.heal();
        proxy.cut();
        assert!(ask(&stream, "d").is_err());
        assert!(ask(&open(), "e").is_err());
        proxy.heal();
        assert_eq!(ask(&open(), "f").expect("healed"), "f");
        proxy.hold(b"LATE");
        let late = open();
        ask(&late, "LATE").expect_err("it waits");
        assert!(proxy.is_holding());
        drop(late);
        proxy.release();
        assert!(!proxy.is_holding());
    }
}
