//! HTTP/1.1: connections used again, and origins that do not keep to it.

use super::*;

#[tokio::test]
async fn a_connection_is_used_again() {
    let origin = Scripted::start(&[&[Hear(0), Say(OK), Hear(0), Say(OK), Hear(0), Say(OK), Stall]]).await;
    let upstream = of(origin.plan());
    for _ in 0..3 {
        assert_eq!(fetch(&upstream).await.unwrap(), "bien");
        settled(&upstream).await;
    }
    assert_eq!(origin.connections(), 1);
    assert_eq!(origin.heard()[0], "GET /a?b=c HTTP/1.1\r\nhost: elecciones.example\r\n\r\n");
}

#[tokio::test]
async fn a_body_goes_out() {
    let answer = "HTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n";
    let origin = Scripted::start(&[&[Hear(4), Say(answer), Stall]]).await;
    let response = of(origin.plan()).send(asking(Method::POST, full("acta")), caller()).await.unwrap();
    assert_eq!(response.status(), 201);
    assert!(origin.heard()[0].ends_with("content-length: 4\r\n\r\nacta"));
}

#[tokio::test]
async fn chunks_and_trailers() {
    let answer =
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: x\r\n\r\n3\r\nbie\r\n1\r\nn\r\n0\r\nx: y\r\n\r\n";
    let origin = Scripted::start(&[&[Hear(0), Say(answer), Hear(0), Say(OK), Stall]]).await;
    let upstream = of(origin.plan());
    let whole = get(&upstream).await.unwrap().into_body().collect().await.unwrap();
    assert_eq!(whole.trailers().unwrap()["x"], "y");
    assert_eq!(whole.to_bytes(), "bien");
    settled(&upstream).await;
    assert_eq!(fetch(&upstream).await.unwrap(), "bien");
    assert_eq!(origin.connections(), 1);
}

#[tokio::test]
async fn a_dead_connection_is_no_excuse_for_get() {
    let origin = Scripted::start(&[&[Hear(0), Say(OK), Hear(0)], &[Hear(0), Say(OK), Stall]]).await;
    let upstream = of(origin.plan());
    assert_eq!(fetch(&upstream).await.unwrap(), "bien");
    settled(&upstream).await;
    assert_eq!(fetch(&upstream).await.unwrap(), "bien");
    assert_eq!((origin.connections(), origin.heard().len()), (2, 3));
}

#[tokio::test]
async fn but_what_may_have_done_something_is_not_sent_twice() {
    for (method, body, length) in [(Method::POST, empty(), 0), (Method::PUT, full("acta"), 4)] {
        let origin = Scripted::start(&[&[Hear(0), Say(OK), Hear(length)], &[Hear(length), Say(OK)]]).await;
        let upstream = of(origin.plan());
        assert_eq!(fetch(&upstream).await.unwrap(), "bien");
        settled(&upstream).await;
        assert_eq!(upstream.send(asking(method, body), caller()).await.unwrap_err(), Failure::Reset);
        assert_eq!((origin.connections(), origin.heard().len()), (1, 2));
    }
}

#[tokio::test]
async fn who_has_begun_to_answer_is_not_asked_again() {
    let origin = Scripted::start(&[&[Hear(0), Say(OK), Hear(0), Say("HTTP/1.1 2")], &[Hear(0), Say(OK)]]).await;
    let upstream = of(origin.plan());
    assert_eq!(fetch(&upstream).await.unwrap(), "bien");
    settled(&upstream).await;
    assert_eq!(fetch(&upstream).await.unwrap_err(), Failure::Reset);
    assert_eq!(origin.connections(), 1);
}

#[tokio::test]
async fn a_new_connection_that_ends_is_a_failure() {
    let origin = Scripted::start(&[&[Hear(0)]]).await;
    assert_eq!(fetch(&of(origin.plan())).await.unwrap_err(), Failure::Reset);
    assert_eq!(origin.connections(), 1);
}

#[tokio::test]
async fn a_cut_body_is_not_whole() {
    for answer in [
        "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nbien",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nbien\r\n",
    ] {
        let origin = Scripted::start(&[&[Hear(0), Say(answer)]]).await;
        let upstream = of(origin.plan());
        assert_eq!(fetch(&upstream).await.unwrap_err(), Failure::Reset);
        assert_eq!(upstream.pool.idle(), 0);
    }
}

#[tokio::test]
async fn nonsense_is_malformed() {
    for answer in [
        "SSH-2.0-OpenSSH\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 4\r\nContent-Length: 5\r\n\r\nbien",
        "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
        "HTTP/1.1 200 OK\r\nbad field: x\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nbien\r\n0\r\n\r\n",
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: other\r\nConnection: upgrade\r\n\r\n",
    ] {
        let origin = Scripted::start(&[&[Hear(0), Say(answer), Stall]]).await;
        let upstream = of(origin.plan());
        assert_eq!(fetch(&upstream).await.unwrap_err(), Failure::Malformed, "{answer}");
        assert_eq!(upstream.pool.idle(), 0);
    }
}

#[tokio::test]
async fn heads_and_trailers_have_a_limit() {
    let endless: &[Act] =
        &[Hear(0), Say("HTTP/1.1 200 OK\r\n"), Flood("x: yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy\r\n")];
    let line: &[Act] =
        &[Hear(0), Say("HTTP/1.1 200 OK\r\nx: "), Flood("yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy")];
    for script in [endless, line] {
        let origin = Scripted::start(&[script]).await;
        assert_eq!(fetch(&of(origin.plan())).await.unwrap_err(), Failure::HeadTooLarge);
    }
    let chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n";
    let origin = Scripted::start(&[&[Hear(0), Say(chunked), Flood("x: y\r\n")]]).await;
    assert_eq!(fetch(&of(origin.plan())).await.unwrap_err(), Failure::Malformed);
}

#[tokio::test]
async fn an_answer_that_nobody_asked_for_is_nobodys() {
    let two = "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nbienHTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nfalso";
    let origin = Scripted::start(&[&[Hear(0), Say(two), Stall], &[Hear(0), Say(OK), Stall]]).await;
    let upstream = of(origin.plan());
    assert_eq!(fetch(&upstream).await.unwrap(), "bien");
    assert_eq!(fetch(&upstream).await.unwrap(), "bien");
    assert_eq!(origin.connections(), 2);
}

#[tokio::test]
async fn a_body_that_nobody_reads_to_its_end_takes_its_connection_with_it() {
    let half = "HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nbien";
    let origin = Scripted::start(&[&[Hear(0), Say(half), Stall], &[Hear(0), Say(OK), Stall]]).await;
    let upstream = of(Plan { connections: 1, ..origin.plan() });
    drop(get(&upstream).await.unwrap());
    assert_eq!(fetch(&upstream).await.unwrap(), "bien");
    assert_eq!(origin.connections(), 2);
}
