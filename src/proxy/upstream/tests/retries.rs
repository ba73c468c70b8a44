//! When a request is sent a second time, and when it is not, by HTTP/2's own words for it and by HTTP/1.1's.

use super::*;
use crate::proxy::upstream::names::Place;

/// What an HTTP/2 origin does with a request.
#[derive(Clone, Copy)]
enum Deed {
    /// 204.
    Answer,
    /// RST_STREAM with this reason (RFC 9113, 7).
    Refuse(u32),
    /// GOAWAY: the last stream that it has looked at is the one before, and that was all.
    Leave,
    /// The same, but this one it has looked at.
    LeaveWithThis,
    /// It hangs up.
    HangUp,
    /// A head and `bi`, then RST_STREAM with this reason.
    Cut(u32),
}
use Deed::{Answer, Cut, HangUp, Leave, LeaveWithThis, Refuse};

const NO_ERROR: u32 = 0;
const CANCEL: u32 = 8;

const REFUSED_STREAM: u32 = 7;
const INTERNAL_ERROR: u32 = 2;
const PREFACE_BYTES: usize = 24;

/// An origin by frames, which knows HTTP/2 without TLS.
struct Framed {
    address: SocketAddr,
    connections: Arc<AtomicUsize>,
    requests: Arc<AtomicUsize>,
}

impl Framed {
    /// What it does with each request, on whichever connection; the last for all that come after.
    async fn start(deeds: &[Deed]) -> Framed {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let framed = Framed { address, connections: Arc::default(), requests: Arc::default() };
        let (connections, requests) = (framed.connections.clone(), framed.requests.clone());
        let deeds = deeds.to_vec();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                connections.fetch_add(1, Ordering::SeqCst);
                tokio::spawn(act(stream, deeds.clone(), requests.clone()));
            }
        });
        framed
    }

    fn upstream(&self) -> Upstream {
        of(Plan { http2: true, ..plan(&[self.address]) })
    }

    fn seen(&self) -> (usize, usize) {
        (self.connections.load(Ordering::SeqCst), self.requests.load(Ordering::SeqCst))
    }
}

/// RFC 9113, 4.1
fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    [&length[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

async fn act(mut stream: TcpStream, deeds: Vec<Deed>, requests: Arc<AtomicUsize>) -> Option<()> {
    let mut preface = [0; PREFACE_BYTES];
    stream.read_exact(&mut preface).await.ok()?;
    stream.write_all(&frame(4, 0, 0, &[])).await.ok()?;
    loop {
        let mut head = [0; 9];
        stream.read_exact(&mut head).await.ok()?;
        let [_, a, b, kind, ..] = head;
        let mut payload = vec![0; usize::from(u16::from_be_bytes([a, b]))];
        stream.read_exact(&mut payload).await.ok()?;
        let id = u32::from_be_bytes([head[5], head[6], head[7], head[8]]);
        if kind != 1 {
            continue;
        }
        let number = requests.fetch_add(1, Ordering::SeqCst);
        let go_away = |last: u32| frame(7, 0, 0, &[last.to_be_bytes(), [0; 4]].concat());
        match deeds[number.min(deeds.len() - 1)] {
            // `:status: 204` (RFC 7541, appendix A), the end of it and of the stream.
            Answer => stream.write_all(&frame(1, 5, id, &[0x89])).await.ok()?,
            Refuse(reason) => stream.write_all(&frame(3, 0, id, &reason.to_be_bytes())).await.ok()?,
            Leave => stream.write_all(&go_away(id.saturating_sub(2))).await.ok()?,
            LeaveWithThis => {
                stream.write_all(&go_away(id)).await.ok()?;
                return None;
            }
            HangUp => return None,
            Cut(reason) => {
                let reset = frame(3, 0, id, &reason.to_be_bytes());
                // `:status: 200`.
                let all = [frame(1, 4, id, &[0x88]), frame(0, 0, id, b"bi"), reset].concat();
                stream.write_all(&all).await.ok()?;
            }
        }
    }
}

/// Method, body, what the origin does, what comes of it, and how many connections and requests it has seen.
type Row<'r> = (&'r Method, &'static str, &'r [Deed], Result<u16, Failure>, (usize, usize));

#[tokio::test]
async fn what_http2_says_it_has_not_looked_at_is_sent_again() {
    let (get, post) = (Method::GET, Method::POST);
    let cases: [Row; 11] = [
        // Whatever the method: it has done nothing.
        (&get, "", &[Refuse(REFUSED_STREAM), Answer], Ok(204), (1, 2)),
        (&post, "", &[Refuse(REFUSED_STREAM), Answer], Ok(204), (1, 2)),
        (&get, "", &[Leave, Answer], Ok(204), (2, 2)),
        (&post, "", &[Leave, Answer], Ok(204), (2, 2)),
        // Its body is gone.
        (&post, "acta", &[Refuse(REFUSED_STREAM), Answer], Err(Failure::Reset), (1, 1)),
        // Twice, and no more.
        (&get, "", &[Refuse(REFUSED_STREAM)], Err(Failure::Reset), (1, 2)),
        // Who knows what it has done.
        (&get, "", &[Refuse(INTERNAL_ERROR), Answer], Err(Failure::Reset), (1, 1)),
        (&get, "", &[LeaveWithThis, Answer], Err(Failure::Reset), (1, 1)),
        (&post, "", &[LeaveWithThis, Answer], Err(Failure::Reset), (1, 1)),
        (&get, "", &[HangUp, Answer], Err(Failure::Reset), (1, 1)),
        (&post, "", &[HangUp, Answer], Err(Failure::Reset), (1, 1)),
    ];
    for (n, (method, body, deeds, expected, seen)) in cases.into_iter().enumerate() {
        let origin = Framed::start(deeds).await;
        let body = if body.is_empty() { empty() } else { full(body) };
        let response = origin.upstream().send(asking(method.clone(), body), caller()).await;
        assert_eq!(response.map(|response| response.status().as_u16()), expected, "case {n}");
        assert_eq!(origin.seen(), seen, "case {n}");
    }
}

#[tokio::test]
async fn a_shared_connection_that_ends_is_no_excuse_for_get() {
    for (method, deed, expected) in [
        (Method::GET, HangUp, Ok(204)),
        (Method::GET, LeaveWithThis, Ok(204)),
        (Method::POST, HangUp, Err(Failure::Reset)),
    ] {
        let origin = Framed::start(&[Answer, deed, Answer]).await;
        let upstream = origin.upstream();
        let status = |response: Result<Response<Arriving>, _>| response.map(|response| response.status().as_u16());
        assert_eq!(status(get(&upstream).await), Ok(204));
        assert_eq!(status(upstream.send(asking(method.clone(), empty()), caller()).await), expected, "{method}");
        // And the next one finds a new one.
        assert_eq!(status(get(&upstream).await), Ok(204), "{method}");
        assert_eq!(origin.seen().0, 2, "{method}");
    }
}

#[tokio::test]
async fn a_stream_that_is_reset_has_not_ended() {
    let whole = Ok("bi".to_owned());
    for (method, body, reason, expected) in [
        (Method::GET, "", CANCEL, Err(Failure::Reset)),
        (Method::GET, "", NO_ERROR, Err(Failure::Reset)),
        (Method::POST, "acta", CANCEL, Err(Failure::Reset)),
        // So an origin says that it wants no more of a request's body, after all of its answer (RFC 9113, 8.1).
        (Method::POST, "acta", NO_ERROR, whole),
    ] {
        let origin = Framed::start(&[Cut(reason)]).await;
        let body = if body.is_empty() { empty() } else { full(body) };
        let response = origin.upstream().send(asking(method.clone(), body), caller()).await.unwrap();
        assert_eq!(read(response).await, expected, "{method} {reason}");
    }
}

#[tokio::test]
async fn an_origin_that_gave_up_waiting_is_asked_again() {
    let late = "HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
    let get = || asking(Method::GET, empty());
    // On a connection that lay idle it is about the one before, so to say.
    let idle: &[Act] = &[Hear(0), Say(OK), Hear(0), Say(late)];
    for (script, first, second, expected) in [
        (idle, get(), get(), (200, 2)),
        (idle, get(), asking(Method::POST, empty()), (408, 1)),
        (&[Hear(0), Say(late)][..], get(), get(), (408, 2)),
    ] {
        let origin = Scripted::start(&[script, &[Hear(0), Say(OK)]]).await;
        let upstream = of(Plan { connections: 1, ..origin.plan() });
        let response = upstream.send(first, caller()).await.unwrap();
        let mut status = response.status().as_u16();
        let _ = read(response).await;
        if status == 200 {
            settled(&upstream).await;
            status = upstream.send(second, caller()).await.unwrap().status().as_u16();
        } else {
            assert_eq!(upstream.send(second, caller()).await.unwrap().status(), 200);
        }
        assert_eq!((status, origin.connections()), expected);
    }
}

#[tokio::test]
async fn a_place_that_gives_no_answer_is_not_the_only_one() {
    for (method, body, expected) in
        [(Method::GET, "", Ok(())), (Method::DELETE, "", Ok(())), (Method::POST, "", Err(Failure::Reset))]
    {
        let (bad, good) = (Scripted::start(&[&[Hear(0)]]).await, Scripted::start(&[&[Hear(0), Say(OK)]]).await);
        let upstream = of(plan(&[bad.address, good.address]));
        let response = upstream.send(asking(method.clone(), full(body)), caller()).await;
        assert_eq!(response.map(drop), expected, "{method}");
        assert_eq!((bad.heard().len(), good.heard().len()), (1, usize::from(expected.is_ok())), "{method}");
    }
}

#[tokio::test]
async fn after_a_dead_connection_another_place_is_asked_even_if_it_is_busier() {
    let dying = Scripted::start(&[&[Hear(0), Say(OK), Hear(0)], &[Hear(0)]]).await;
    let half = "HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nbien";
    let busy = Scripted::start(&[&[Hear(0), Say(half), Stall], &[Hear(0), Say(OK)]]).await;
    let upstream = of(plan(&[dying.address, busy.address]));
    assert_eq!(fetch(&upstream).await.unwrap(), "bien");
    settled(&upstream).await;
    let _held = get(&upstream).await.unwrap();
    assert_eq!(fetch(&upstream).await.unwrap(), "bien");
    assert_eq!((dying.connections(), dying.heard().len(), busy.connections()), (1, 2, 2));
}

#[tokio::test]
async fn nobody_else_is_lent_a_connection_that_has_ended_and_its_successor_stays() {
    let origin = Framed::start(&[Answer]).await;
    let upstream = origin.upstream();
    get(&upstream).await.unwrap();
    let (place, now) = (Place { origin: 0, address: origin.address }, tokio::time::Instant::now());
    let is_shared = |ended| {
        let mut places = upstream.pool.places();
        places.unshare(place, ended);
        places.shared(place, now).is_some()
    };
    // Those of the pool are counted from 0 on.
    assert_eq!((is_shared(1), is_shared(0)), (true, false));
}
