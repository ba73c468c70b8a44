use http_body_util::BodyExt;

use super::*;

fn run<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(work)
}

/// Whether it would have to be waited for.
async fn is_pending(work: impl Future) -> bool {
    let mut work = std::pin::pin!(work);
    std::future::poll_fn(|cx| Poll::Ready(work.as_mut().poll(cx).is_pending())).await
}

fn wide() -> Arc<Room> {
    Arc::new(Room::new(usize::MAX))
}

#[test]
fn everybody_reads_all_of_it_whenever_they_come() {
    run(async {
        let body = Growing::new(1 << 20, None, &wide());
        let early = tokio::spawn(body.reader().collect());
        tokio::task::yield_now().await;
        assert!(body.push("ab".into()));
        let late = tokio::spawn(body.reader().collect());
        tokio::task::yield_now().await;
        assert!(body.push("cd".into()));
        body.end(Ok(()));
        for reader in [early, late, tokio::spawn(body.reader().collect())] {
            assert_eq!(reader.await.unwrap().unwrap().to_bytes(), "abcd");
        }
        assert_eq!(body.whole().unwrap(), "abcd");
    });
}

#[test]
fn a_body_that_breaks_off_is_whole_for_nobody() {
    run(async {
        let body = Growing::new(1 << 20, None, &wide());
        body.push("ab".into());
        body.end(Err(Failure::Reset));
        body.end(Ok(()));
        assert_eq!(body.reader().collect().await.unwrap_err(), Failure::Reset);
    });
}

#[test]
fn what_is_longer_than_may_be_stored_is_whole_for_nobody() {
    let body = Growing::new(4, None, &wide());
    let _reader = body.reader();
    assert!(body.push("1234".into()));
    assert_eq!(body.whole().unwrap(), "1234");
    assert!(!body.push("5".into()));
    assert!(body.whole().is_none());
}

#[test]
fn a_body_in_crumbs_takes_no_more_room_than_others() {
    let most = 4 * AHEAD_BYTES;
    let body = Growing::new(most, None, &wide());
    let mut reader = body.reader();
    let crumb = Bytes::from_static(b"x");
    run(async {
        for _ in 0..most / PIECE_BYTES + 100_000 {
            while is_pending(body.wanted()).await {
                reader.frame().await.unwrap().unwrap();
            }
            body.push(crumb.clone());
        }
    });
    let pieces = body.lock().pieces.len();
    assert!(pieces * PIECE_BYTES <= most + PIECE_BYTES, "{pieces}");
    assert!(body.whole().is_none());
}

#[test]
fn where_there_is_no_more_room_long_bodies_go_on_as_windows() {
    run(async {
        let room = Arc::new(Room::new(4 * AHEAD_BYTES));
        let new = || Growing::new(8 * AHEAD_BYTES, None, &room);
        let piece = Bytes::from(vec![b'x'; AHEAD_BYTES]);
        let (first, second) = (new(), new());
        let mut reader = second.reader();
        for _ in 0..2 {
            assert!(first.push(piece.clone()) && second.push(piece.clone()));
        }
        // What is read of it goes on; it grows by the piece that makes it a window, and no more.
        for n in 0..8 {
            assert!(reader.frame().await.unwrap().is_ok());
            assert!(!second.push(piece.clone()));
            assert_eq!(room.held.load(Relaxed), if n == 0 { 5 } else { 4 } * AHEAD_BYTES);
        }
        assert!(second.whole().is_none() && first.whole().is_some());
        let small = new();
        assert!(small.push(piece.clone()), "so much there always is");
        drop((first, second, reader));
        assert_eq!(room.held.load(Relaxed), AHEAD_BYTES);
        let third = new();
        assert!((0..3).all(|_| third.push(piece.clone())) && !third.push(piece.clone()));
    });
}

#[test]
fn a_window_waits_for_its_fastest_reader_and_cuts_the_slow_off() {
    run(async {
        let body = Growing::new(AHEAD_BYTES, None, &wide());
        let (mut fast, slow) = (body.reader(), body.reader());
        let piece = Bytes::from(vec![b'x'; WANTED_BYTES]);
        for n in 0..20 {
            while is_pending(body.wanted()).await {
                fast.frame().await.unwrap().unwrap();
            }
            assert_eq!(body.push(piece.clone()), n < 2);
            assert!(body.lock().held <= AHEAD_BYTES + WANTED_BYTES, "{n}");
        }
        body.end(Ok(()));
        assert_eq!(fast.collect().await.unwrap().to_bytes().len(), WANTED_BYTES);
        assert_eq!(slow.collect().await.unwrap_err(), Failure::Crowd);
        assert!(body.whole().is_none());
        assert_eq!(body.wanted().await, Err(Failure::RequestAborted), "nobody reads it");
    });
}

/// An origin as fast as it may be before a reader who takes a piece only where the origin has to wait for him, and one who is
/// always there before it.
#[test]
fn who_reads_alone_has_all_of_it_at_any_pace() {
    run(async {
        for most in [0, 4, 64 << 10, AHEAD_BYTES, 3 * AHEAD_BYTES] {
            for (len, count) in [(1, 100_000), (1000, 5000), (16 << 10, 400), (100_000, 60), (AHEAD_BYTES - 1, 8)] {
                for is_slow in [true, false] {
                    let case = format!("most {most}, {count} pieces of {len}, slow: {is_slow}");
                    let room = Arc::new(Room::new(if most == 4 { 0 } else { usize::MAX }));
                    let body = Growing::new(most, None, &room);
                    let (mut reader, piece) = (body.reader(), Bytes::from(vec![b'x'; len]));
                    let mut had = 0;
                    for _ in 0..count {
                        while is_pending(body.wanted()).await {
                            had += reader.frame().await.unwrap().expect(&case).into_data().unwrap().len();
                        }
                        body.push(piece.clone());
                        if !is_slow {
                            had += reader.frame().await.unwrap().expect(&case).into_data().unwrap().len();
                        }
                        assert!(room.held.load(Relaxed) <= most.max(AHEAD_BYTES) + len, "{case}");
                    }
                    body.end(Ok(()));
                    had += reader.collect().await.expect(&case).to_bytes().len();
                    assert_eq!(had, len * count, "{case}");
                }
            }
        }
    });
}

/// All who wait when it becomes a window may read it from its beginning, whatever the first of them has had.
#[test]
fn who_is_about_to_read_finds_the_beginning() {
    run(async {
        let body = Growing::new(4, None, &wide());
        let mut first = body.reader();
        assert!(body.push("1234".into()));
        first.frame().await.unwrap().unwrap();
        assert!(!body.push(vec![b'x'; 2 * AHEAD_BYTES].into()));
        let late = body.reader();
        body.end(Ok(()));
        assert_eq!(late.collect().await.unwrap().to_bytes().len(), 4 + 2 * AHEAD_BYTES);
    });
}

#[test]
fn what_was_made_whole_counts_until_nobody_has_it() {
    let room = Arc::new(Room::new(AHEAD_BYTES));
    let whole = || {
        let body = Growing::new(8 * AHEAD_BYTES, None, &room);
        body.push(vec![0; AHEAD_BYTES].into());
        body.whole().unwrap()
    };
    let mut held: Vec<Bytes> = (0..ROOM_LEAST_BYTES / AHEAD_BYTES).map(|_| whole().slice(1..9)).collect();
    assert!(!room.is_over());
    held.push(whole());
    assert!(room.is_over());
    held.clear();
    assert!(!room.is_over());
    assert_eq!((room.held.load(Relaxed), room.whole.load(Relaxed)), (0, 0));
}
