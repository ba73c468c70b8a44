use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use prometheus_client::metrics::gauge::Gauge;

use super::seat::FIRST_REQUEST_LIMIT_S;
use super::*;

const HEAD_LIMIT_S: u32 = 10;
const IDLE_LIMIT_S: u32 = 75;

fn tick(seats: &Seats, times: u32) {
    for _ in 0..times {
        seats.sweep();
        while seats.end_some() {}
    }
}

fn is_over(seats: &Seats, seat: &Seat) -> bool {
    seat.over(seats.room.ticks.load(Relaxed)).is_some()
}

#[test]
fn a_head_that_drips_in_is_not_waited_for() {
    let seats = Seats::for_test();
    let seat = seats.take(None);
    for _ in 0..HEAD_LIMIT_S {
        seat.came(1);
        assert!(!is_over(&seats, &seat));
        tick(&seats, 1);
    }
    seat.came(1);
    tick(&seats, 1);
    assert!(is_over(&seats, &seat));
    seat.asked();
    assert!(!is_over(&seats, &seat), "it was complete after all");
}

#[test]
fn the_limit_of_a_head_starts_with_its_first_byte() {
    let seats = Seats::for_test();
    let seat = seats.take(None);
    seat.asked();
    seat.went(1);
    tick(&seats, IDLE_LIMIT_S);
    assert!(!is_over(&seats, &seat));
    seat.came(1);
    tick(&seats, HEAD_LIMIT_S);
    assert!(!is_over(&seats, &seat));
    tick(&seats, 1);
    assert!(is_over(&seats, &seat));
}

#[test]
fn half_a_head_behind_an_answer_that_has_no_room_is_waited_for_afterwards() {
    let seats = Seats::for_test();
    let seat = seats.take(None);
    seat.asked();
    seat.is_blocked(true);
    seat.asks();
    tick(&seats, HEAD_LIMIT_S + 1);
    assert!(!is_over(&seats, &seat), "nobody reads meanwhile");
    seat.is_blocked(false);
    assert!(!is_over(&seats, &seat), "nor has anybody been able to");
    tick(&seats, HEAD_LIMIT_S + 1);
    assert!(is_over(&seats, &seat));
}

#[test]
fn a_body_may_take_longer_than_a_head() {
    let seats = Seats::for_test();
    let seat = seats.take(None);
    seat.asked();
    let (hold, other) = (seat.hold(), seat.hold());
    drop(other);
    for _ in 0..HEAD_LIMIT_S * 3 {
        seat.came(1);
        tick(&seats, 1);
        assert!(!is_over(&seats, &seat));
    }
    drop(hold);
    seat.came(1);
    tick(&seats, HEAD_LIMIT_S + 1);
    assert!(is_over(&seats, &seat), "the next head");
}

#[test]
fn an_idle_connection_ends_whatever_its_protocol() {
    let seats = Seats::for_test();
    let seat = seats.take(None);
    seat.is_multiplexed();
    seat.asked();
    seat.came(1);
    tick(&seats, IDLE_LIMIT_S);
    assert!(!is_over(&seats, &seat));
    tick(&seats, 1);
    assert!(is_over(&seats, &seat));
}

#[test]
fn frames_are_no_request_and_heads_among_them_have_their_limit() {
    let seats = Seats::for_test();
    let (never, once) = (seats.take(None), seats.take(None));
    [&never, &once].into_iter().for_each(|seat| seat.is_multiplexed());
    once.asked();
    for _ in 0..HEAD_LIMIT_S {
        // Pings, and their answers.
        [&never, &once].into_iter().for_each(|seat| {
            seat.came(17);
            seat.went(17);
        });
        never.asks_nothing();
        tick(&seats, 1);
    }
    assert!(!is_over(&seats, &never));
    let now = seats.room.ticks.load(Relaxed);
    assert_eq!([never.idle(now), once.idle(now)], [Some(now), Some(now)], "nobody is served");
    tick(&seats, 1);
    assert!(is_over(&seats, &never) && !is_over(&seats, &once));
    once.asks();
    tick(&seats, HEAD_LIMIT_S);
    once.asks();
    assert!(!is_over(&seats, &once));
    tick(&seats, 1);
    assert!(is_over(&seats, &once));
    once.asks_nothing();
    assert!(!is_over(&seats, &once));
    let hold = once.hold();
    let now = seats.room.ticks.load(Relaxed);
    assert_eq!(once.idle(now), None);
    drop(hold);
    assert_eq!([once.idle(now), once.idle(now + 2)], [None, Some(2)], "it was served until now");
}

#[test]
fn draining_does_not_wait_for_who_never_asked() {
    let seats = Seats::for_test();
    let (silent, busy) = (seats.take(None), seats.take(None));
    busy.asked();
    tick(&seats, 1);
    seats.drain();
    tick(&seats, FIRST_REQUEST_LIMIT_S);
    assert!(!is_over(&seats, &silent), "its request may be on its way");
    tick(&seats, 1);
    assert!(is_over(&seats, &silent));
    assert!(!is_over(&seats, &busy));
}

#[test]
fn a_handshake_has_a_limit_of_its_own_and_a_head_after_it() {
    let seats = Seats::new(Patience { handshake_s: 3, ..Patience::default() }, turned_away(), Gauge::default());
    let (slow, done) = (seats.take(None), seats.take(None));
    [&slow, &done].into_iter().for_each(|seat| seat.shakes_hands());
    tick(&seats, 3);
    assert!(!is_over(&seats, &slow));
    done.has_shaken_hands();
    tick(&seats, 1);
    assert_eq!(slow.over(4), Some(Some(Reason::Handshake)));
    tick(&seats, HEAD_LIMIT_S - 1);
    assert!(!is_over(&seats, &done));
    tick(&seats, 1);
    assert_eq!(done.over(14), Some(Some(Reason::Unused)));
    done.came(1);
    assert_eq!(done.over(14), Some(Some(Reason::Head)));
}

fn turned_away() -> Arc<TurnedAway> {
    Arc::new(TurnedAway::new(&crate::record::Metrics::new()))
}

#[test]
fn connections_are_counted_while_they_last() {
    let connections = Gauge::default();
    let seats = Seats::new(Patience::default(), turned_away(), connections.clone());
    let taken = [seats.take(None), seats.take(None)];
    assert_eq!(connections.get(), 2);
    drop(taken);
    assert_eq!(connections.get(), 0);
}

/// A seat whose connection lasts until it is ended, and whether it was.
fn seated(seats: &Seats) -> (Arc<Seat>, tokio::task::JoinHandle<()>) {
    let seat = seats.take(None);
    let task = tokio::spawn(std::future::pending());
    seats.watch(&seat, task.abort_handle());
    (seat, task)
}

/// Two ends of a connection; the first never waits.
fn pair() -> (std::net::TcpStream, std::net::TcpStream) {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let writes = std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    writes.set_nonblocking(true).unwrap();
    (writes, listener.accept().unwrap().0)
}

/// All tasks, of which there are so many, have a turn.
async fn turns(count: usize) {
    for _ in 0..count {
        tokio::task::yield_now().await;
    }
}

async fn ended(tasks: &[(Arc<Seat>, tokio::task::JoinHandle<()>)]) -> Vec<bool> {
    tokio::task::yield_now().await;
    tasks.iter().map(|(_, task)| task.is_finished()).collect()
}

#[tokio::test]
async fn the_oldest_idle_make_room_and_nobody_who_is_served() {
    let seats = Seats::for_test();
    let all: Vec<_> = (0..7).map(|_| seated(&seats)).collect();
    let [(idle, _), _older, (held, _), (blocked, _), (owed, _), (drips, _), (fresh, _)] = &all[..] else { panic!() };
    let _held = (held.hold(), owed.owe());
    all.iter().for_each(|(seat, _)| seat.asked());
    blocked.is_blocked(true);
    assert_eq!(seats.shed(9), 0, "all have come this second");
    tick(&seats, 1);
    drips.came(1);
    tick(&seats, 1);
    idle.went(1);
    tick(&seats, 2);
    // A head that drips in is no work of ours.
    drips.came(1);
    fresh.went(1);
    assert_eq!(seats.shed(1), 1);
    assert_eq!(ended(&all).await, [false, true, false, false, false, false, false]);
    tick(&seats, 1);
    assert_eq!(seats.shed(9), 2);
    assert_eq!(ended(&all).await, [true, true, false, false, false, true, false]);
}

#[tokio::test]
async fn an_answer_on_its_way_keeps_its_place_while_it_moves() {
    let seats = Seats::for_test();
    let all: Vec<_> = (0..2).map(|_| seated(&seats)).collect();
    let [(reads, _), (younger, _)] = &all[..] else { panic!() };
    let (mut writes, mut client) = pair();
    let watched = Watched::new(writes.try_clone().unwrap(), reads.clone());
    let mut send = |seat: &Seat| {
        let mut written = 0;
        while let Ok(n) = std::io::Write::write(&mut writes, &[0; 1 << 14]) {
            written += n;
        }
        seat.went(written);
        written
    };
    all.iter().for_each(|(seat, _)| seat.asked());
    let mut left = send(reads);
    tick(&seats, 1);
    younger.went(1);
    tick(&seats, 2);
    assert_eq!(seats.shed(1), 1);
    assert_eq!(ended(&all).await, [false, true], "the older one's answer is on its way");
    assert_eq!(seats.shed(1), 0);
    // It goes on, faster than it has to, for longer than a window.
    for _ in 0..2 * Patience::default().window_s {
        let taken = left.min(1 << 14);
        std::io::Read::read_exact(&mut client, &mut vec![0; taken]).unwrap();
        left -= taken;
        tick(&seats, 1);
        assert!(left == 0 || seats.shed(1) == 0, "{left}");
    }
    left += send(reads);
    assert!(left > 0);
    // And then it does not.
    tick(&seats, 2);
    assert_eq!(seats.shed(1), 0);
    tick(&seats, Patience::default().window_s);
    assert_eq!(seats.shed(1), 1);
    assert_eq!(ended(&all).await, [true, true]);
    drop(watched);
}

#[tokio::test]
async fn who_takes_too_slowly_is_ended_and_who_takes_enough_is_not() {
    let seats = Seats::for_test();
    let all: Vec<_> = (0..4).map(|_| seated(&seats)).collect();
    let [(drips, _), (takes, _), (stalls, _), (sends, _)] = &all[..] else { panic!() };
    let (hold, _owed) = (sends.hold(), stalls.owe());
    [drips, takes, stalls, sends].into_iter().for_each(|seat| seat.asked());
    [drips, takes].into_iter().for_each(|seat| seat.is_blocked(true));
    hold.expects(true);
    for _ in 0..=Patience::default().window_s {
        drips.went(1);
        takes.went(250);
        // Pings are no progress.
        stalls.went(17);
        sends.came(1);
        tick(&seats, 1);
    }
    assert_eq!(ended(&all).await, [true, false, true, true]);
    assert!(drips.is_cut.load(Relaxed) && !sends.is_cut.load(Relaxed));
    hold.expects(false);
}

/// A crowd that is over a limit at once, as slow readers are, with others among it who are not.
#[tokio::test]
async fn while_many_are_ended_all_others_have_their_turns() {
    let seats = Seats::for_test();
    let all: Vec<_> = (0..50 * ENDED_AT_ONCE).map(|_| seated(&seats)).collect();
    let stays = |n: usize| n.is_multiple_of(3);
    for (_, (seat, _)) in all.iter().enumerate().filter(|(n, _)| stays(*n)) {
        seat.asked();
    }
    turns(all.len()).await;
    // Its limit is in sight.
    tick(&seats, HEAD_LIMIT_S);
    let others = async {
        let (mut most, mut before) = (0, 0);
        while before < all.len() - all.len().div_ceil(3) {
            let gone = all.iter().filter(|(_, task)| task.is_finished()).count();
            most = most.max(gone - std::mem::replace(&mut before, gone));
            tokio::task::yield_now().await;
        }
        most
    };
    seats.sweep();
    let most = tokio::select! {
        () = seats.end() => 0,
        most = others => most,
    };
    assert_eq!(most, ENDED_AT_ONCE);
    for (n, (_, task)) in all.iter().enumerate() {
        assert_eq!(task.is_finished(), !stays(n), "{n}");
    }
}

/// Nobody waits for them: the next second comes, and whoever has spoken meanwhile stays.
#[tokio::test]
async fn those_who_are_to_be_ended_hold_nobody_up() {
    let seats = Seats::for_test();
    let all: Vec<_> = (0..3 * ENDED_AT_ONCE).map(|_| seated(&seats)).collect();
    turns(all.len()).await;
    tick(&seats, HEAD_LIMIT_S);
    seats.sweep();
    seats.sweep();
    assert_eq!(seats.room.ticks.load(Relaxed), HEAD_LIMIT_S + 2);
    assert_eq!(seats.shed(9), 0, "they are not there any more");
    let new = seated(&seats);
    let (spoken, _) = &all[0];
    spoken.asked();
    spoken.came(1);
    spoken.asked();
    while seats.end_some() {}
    turns(all.len()).await;
    let is_ended = |(_, task): &(Arc<Seat>, tokio::task::JoinHandle<()>)| task.is_finished();
    assert!(all[1..].iter().all(is_ended) && !is_ended(&all[0]) && !is_ended(&new));
    tick(&seats, IDLE_LIMIT_S + 1);
    turns(all.len()).await;
    assert!(is_ended(&all[0]) && is_ended(&new), "both are still looked at");
}
