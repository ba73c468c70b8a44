//! Connections that begin with who asks.

use super::*;

#[tokio::test]
async fn each_request_has_its_own_connection_that_says_whose_it_is() {
    let answer = "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nbien";
    let origin = Scripted::start(&[&[Hear(0), Say(answer), Hear(0), Say(answer), Stall]]).await;
    let upstream = of(Plan { preface: Preface::V1, ..origin.plan() });
    let callers = ["192.0.2.7:40000", "192.0.2.8:40001"];
    for from in callers {
        let caller = Caller::new(from.parse().unwrap(), "198.51.100.1:443".parse().unwrap());
        let response = upstream.send(asking(Method::GET, empty()), caller).await.unwrap();
        assert_eq!(read(response).await.unwrap(), "bien");
        assert_eq!(upstream.pool.idle(), 0);
    }
    assert_eq!(origin.connections(), 2);
    for (head, from) in origin.heard().iter().zip(["192.0.2.7 198.51.100.1 40000", "192.0.2.8 198.51.100.1 40001"]) {
        let expected = format!(
            "PROXY TCP4 {from} 443\r\nGET /a?b=c HTTP/1.1\r\nhost: elecciones.example\r\nconnection: close\r\n\r\n"
        );
        assert_eq!(head, &expected);
    }
}
