//! Who has to be looked at: an exchange that is woken says so, and wakes its connection.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Wake, Waker};

/// Wakes the task of a connection.
#[derive(Debug, Clone, Default)]
pub struct Bell(Arc<Mutex<Option<Waker>>>);

impl Bell {
    /// From now on this one is woken.
    pub fn hang(&self, waker: &Waker) {
        let mut hung = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match &mut *hung {
            Some(hung) => hung.clone_from(waker),
            None => *hung = Some(waker.clone()),
        }
    }

    fn ring(&self) {
        let hung = self.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some(waker) = hung {
            waker.wake();
        }
    }
}

/// One exchange's part of it.
#[derive(Debug)]
pub struct Awake {
    is_awake: AtomicBool,
    bell: Bell,
}

impl Awake {
    /// It has to be looked at from the start.
    pub fn new(bell: Bell) -> Arc<Awake> {
        Arc::new(Awake { is_awake: AtomicBool::new(true), bell })
    }

    pub fn is_awake(&self) -> bool {
        self.is_awake.load(Ordering::Acquire)
    }

    /// Before it is polled; a wake meanwhile is not lost.
    pub fn rest(&self) {
        // A swap: what a waker has done before it is seen by the poll that follows.
        self.is_awake.swap(false, Ordering::AcqRel);
    }

    pub fn stay_awake(&self) {
        self.is_awake.store(true, Ordering::Release);
    }
}

impl Wake for Awake {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if !self.is_awake.swap(true, Ordering::AcqRel) {
            self.bell.ring();
        }
    }
}
