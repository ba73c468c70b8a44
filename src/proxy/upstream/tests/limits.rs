//! Limits of time and number, and places that are away.

use super::*;

/// A place that takes no connection.
async fn away() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap()
}

#[tokio::test]
async fn a_head_that_does_not_come() {
    let silent: &[Act] = &[Hear(0), Stall];
    let begun: &[Act] = &[Hear(0), Say("HTTP/1.1 200 OK\r\n"), Stall];
    let interim: &[Act] = &[Hear(0), Flood("HTTP/1.1 103 Early Hints\r\n\r\n")];
    for script in [silent, begun, interim] {
        let origin = Scripted::start(&[script]).await;
        let upstream = of(Plan { first_byte: NEAR, ..origin.plan() });
        assert_eq!(fetch(&upstream).await.unwrap_err(), Failure::FirstByteTimeout);
    }
}

#[tokio::test]
async fn a_body_that_stands_still() {
    let origin = Scripted::start(&[&[Hear(0), Say("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nbien"), Stall]]).await;
    let upstream = of(Plan { idle: NEAR, ..origin.plan() });
    let response = get(&upstream).await.unwrap();
    assert_eq!(read(response).await.unwrap_err(), Failure::IdleTimeout);
}

#[tokio::test]
async fn a_body_without_end() {
    let origin = Scripted::start(&[&[Hear(0), Say("HTTP/1.1 200 OK\r\n\r\n"), Flood("bien")]]).await;
    let upstream = of(Plan { total: NEAR, ..origin.plan() });
    // On a slow day, the head is too late already.
    assert_eq!(fetch(&upstream).await.unwrap_err(), Failure::TotalTimeout);
}

#[tokio::test]
async fn a_head_within_first_byte_but_not_within_total() {
    let origin = Scripted::start(&[&[Hear(0), Stall]]).await;
    let upstream = of(Plan { total: NEAR, ..origin.plan() });
    assert_eq!(fetch(&upstream).await.unwrap_err(), Failure::TotalTimeout);
}

#[tokio::test]
async fn a_body_that_the_origin_does_not_take() {
    // Listens, and never reads: the kernel takes some of it.
    let deaf = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let upstream = of(Plan { idle: NEAR, ..plan(&[deaf.local_addr().unwrap()]) });
    let request = asking(Method::POST, endless());
    assert_eq!(upstream.send(request, caller()).await.unwrap_err(), Failure::IdleTimeout);
}

fn endless() -> Sent {
    let piece = Bytes::from_static(&[b'x'; 65536]);
    let frames = std::iter::repeat_with(move || Ok(http_body::Frame::data(piece.clone())));
    Each(Box::new(frames)).boxed_unsync()
}

type Piece = Result<http_body::Frame<Bytes>, Failure>;
struct Each(Box<dyn Iterator<Item = Piece> + Send>);

impl http_body::Body for Each {
    type Data = Bytes;
    type Error = Failure;

    fn poll_frame(
        mut self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Piece>> {
        std::task::Poll::Ready(self.0.next())
    }
}

#[tokio::test]
async fn a_client_that_breaks_off_is_not_the_origins_fault() {
    let origin = Scripted::start(&[&[Hear(0), Stall]]).await;
    let pieces = [Ok(http_body::Frame::data(Bytes::from_static(b"ac"))), Err(Failure::RequestAborted)];
    let body = Each(Box::new(pieces.into_iter())).boxed_unsync();
    let failure = of(origin.plan()).send(asking(Method::POST, body), caller()).await.unwrap_err();
    assert_eq!(failure, Failure::RequestAborted);
}

#[tokio::test]
async fn no_more_connections_than_agreed() {
    let origin = Scripted::start(&[&[Hear(0), Say(OK), Hear(0), Say(OK), Stall]]).await;
    let upstream = of(Plan { connections: 1, waiting: 0, ..origin.plan() });
    let first = get(&upstream).await.unwrap();
    // Its body has not been read.
    assert_eq!(fetch(&upstream).await.unwrap_err(), Failure::Full);
    assert_eq!(read(first).await.unwrap(), "bien");
    settled(&upstream).await;
    assert_eq!(fetch(&upstream).await.unwrap(), "bien");
    assert_eq!(origin.connections(), 1);
}

#[tokio::test]
async fn who_waits_comes_next() {
    let origin = Scripted::start(&[&[Hear(0), Say(OK), Hear(0), Say(OK), Stall]]).await;
    let upstream = of(Plan { connections: 1, waiting: 1, ..origin.plan() });
    let first = get(&upstream).await.unwrap();
    let (second, third, first) = tokio::join!(biased; fetch(&upstream), fetch(&upstream), read(first));
    assert_eq!((first, second), (Ok("bien".to_owned()), Ok("bien".to_owned())));
    assert_eq!(third, Err(Failure::Full));
}

#[tokio::test]
async fn nobody_waits_for_ever() {
    let upstream = of(Plan { connections: 1, connect: NEAR, ..plan(&[away().await]) });
    let _taken = upstream.pool.seats.take(Whose::Shared).await.unwrap();
    assert_eq!(fetch(&upstream).await.unwrap_err(), Failure::Full);
}

#[tokio::test]
async fn nobody_there() {
    let upstream = of(plan(&[away().await]));
    assert_eq!(fetch(&upstream).await.unwrap_err(), Failure::Unreachable);
    // It is passed over only where there is another.
    assert_eq!(fetch(&upstream).await.unwrap_err(), Failure::Unreachable);
}

#[tokio::test]
async fn another_place_is_tried() {
    let origin = Scripted::start(&[&[Hear(0), Say(OK), Hear(0), Say(OK), Stall]]).await;
    let upstream = of(plan(&[away().await, origin.address]));
    for _ in 0..2 {
        assert_eq!(fetch(&upstream).await.unwrap(), "bien");
        settled(&upstream).await;
    }
    assert_eq!(origin.connections(), 1);
}

#[tokio::test]
async fn places_take_turns() {
    let script: &[Act] = &[Hear(0), Say(OK), Hear(0), Say(OK), Stall];
    let (one, other) = (Scripted::start(&[script]).await, Scripted::start(&[script]).await);
    let upstream = of(plan(&[one.address, other.address]));
    for _ in 0..4 {
        assert_eq!(fetch(&upstream).await.unwrap(), "bien");
    }
    assert_eq!((one.heard().len(), other.heard().len()), (2, 2));
}

#[tokio::test]
async fn idle_connections_count() {
    let script: &[Act] = &[Hear(0), Say(OK), Stall];
    let (one, other) = (Scripted::start(&[script]).await, Scripted::start(&[script]).await);
    let upstream = of(Plan { connections: 1, ..plan(&[one.address, other.address]) });
    for _ in 0..2 {
        assert_eq!(fetch(&upstream).await.unwrap(), "bien");
        settled(&upstream).await;
        assert_eq!(upstream.pool.idle(), 1);
    }
    assert_eq!((one.connections(), other.connections()), (1, 1));
}
