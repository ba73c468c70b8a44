//! Whom an origin refuses, and who hears of it.

use super::super::failure::Failure;
use super::*;

const COOKIES: [&str; 5] = ["1", "2", "3", "4", "5"];

/// Readers with a cookie each, the first of whom leads, and his request.
async fn waiting(scene: &Scene) -> (Vec<JoinHandle<Result<Got, Failed>>>, Heard) {
    let mut readers = vec![scene.ask(&[("cookie", COOKIES[0])]).await];
    let heard = scene.heard().await;
    for cookie in &COOKIES[1..] {
        readers.push(scene.ask(&[("cookie", cookie)]).await);
    }
    (readers, heard)
}

#[tokio::test]
async fn after_three_who_ask_otherwise_an_origin_has_failed_for_all() {
    let scene = Scene::open(specimen("/")).await;
    let (readers, first) = waiting(&scene).await;
    drop(first);
    for _ in 1..3 {
        drop(scene.heard().await);
    }
    for reader in readers {
        assert_eq!(reader.await.unwrap().unwrap_err().failure, Failure::Reset);
    }
    // Nor is it asked by who comes now.
    let later = scene.ask(&[("cookie", "6")]).await;
    assert_eq!(later.await.unwrap().unwrap_err().failure, Failure::Reset);
}

#[tokio::test]
async fn one_whom_an_origin_likes_is_enough() {
    let scene = Scene::open(specimen("/")).await;
    let (readers, first) = waiting(&scene).await;
    first.answer("200 OK", "Cache-Control: private\r\n", "suyo").await;
    drop(scene.heard().await);
    scene.heard().await.answer("200 OK", FRESH, "todos").await;
    let (mut own, mut lost, mut all) = (0, 0, 0);
    for reader in readers {
        match reader.await.unwrap() {
            Ok(got) if got.body == "suyo" => own += 1,
            Ok(got) if got.body == "todos" => all += 1,
            other => {
                assert_eq!(other.err().map(|failed| failed.failure), Some(Failure::Reset));
                lost += 1;
            }
        }
    }
    assert_eq!((own, lost, all), (1, 1, 3));
    assert_eq!(of(scene.ask(&[("cookie", "1")]).await).await.body, "todos", "it is stored");
}

#[tokio::test]
async fn who_asks_alike_is_told_alike() {
    let scene = Scene::open(specimen("/")).await;
    let leads = scene.ask(&[("cookie", "1")]).await;
    let heard = scene.heard().await;
    let alike = scene.ask(&[("cookie", "1")]).await;
    drop(heard);
    for reader in [leads, alike, scene.ask(&[("cookie", "1")]).await] {
        assert_eq!(reader.await.unwrap().unwrap_err().failure, Failure::Reset);
    }
    let other = scene.ask(&[]).await;
    scene.heard().await.answer("200 OK", FRESH, "todos").await;
    assert_eq!(of(other).await.body, "todos");
}
