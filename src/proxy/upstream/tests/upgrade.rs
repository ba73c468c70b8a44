//! Requests to become something else.

use super::*;

use hyper_util::rt::TokioIo;

const SWITCHED: &str = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\nhola";

fn upgrading() -> Request<Sent> {
    let mut request = asking(Method::GET, empty());
    request.headers_mut().insert("upgrade", "websocket".parse().unwrap());
    request.headers_mut().insert("connection", "Upgrade".parse().unwrap());
    request
}

#[tokio::test]
async fn bytes_go_both_ways_and_it_counts_as_a_connection() {
    let origin = Scripted::start(&[&[Hear(0), Say(SWITCHED), Hear(0), Say("adiós")], &[Hear(0), Say(OK), Stall]]).await;
    let upstream = of(Plan { connections: 1, waiting: 0, ..origin.plan() });
    let mut response = upstream.send(upgrading(), caller()).await.unwrap();
    assert_eq!(response.status(), 101);
    let mut io = TokioIo::new(hyper::upgrade::on(&mut response).await.unwrap());
    drop(response);
    assert_eq!(fetch(&upstream).await, Err(Failure::Full));
    io.write_all(b"ok\r\n\r\n").await.unwrap_or_else(|_| panic!("cannot write"));
    let mut told = String::new();
    io.read_to_string(&mut told).await.unwrap();
    assert_eq!(told, "holaadiós");
    drop(io);
    assert_eq!(fetch(&upstream).await.unwrap(), "bien");
}

#[tokio::test]
async fn an_origin_may_refuse_and_the_connection_is_not_used_again() {
    let origin = Scripted::start(&[&[Hear(0), Say(OK), Stall]]).await;
    let upstream = of(Plan { connections: 1, ..origin.plan() });
    assert_eq!(read(upstream.send(upgrading(), caller()).await.unwrap()).await.unwrap(), "bien");
    assert_eq!(fetch(&upstream).await.unwrap(), "bien");
    assert_eq!(origin.connections(), 2);
}
