import Glibc

/// Signals as something to wait for. To be made before any other thread is, so that none of them takes one.
struct SignalReader {
  private var set = sigset_t()

  init(_ signals: [Int32]) {
    // Safe: the set is a local.
    _ = unsafe sigemptyset(&set)
    for signal in signals { _ = unsafe sigaddset(&set, signal) }
    _ = unsafe pthread_sigmask(SIG_BLOCK, &set, nil)
  }

  /// The next signal, if one comes in time.
  func next(withinMilliseconds milliseconds: Int) -> Int32? {
    var (wanted, patience) = (set, timespec(tv_sec: milliseconds / 1000, tv_nsec: milliseconds % 1000 * 1_000_000))
    // Safe: both are locals; who sent it is of no interest.
    let signal = unsafe sigtimedwait(&wanted, nil, &patience)
    return signal > 0 ? signal : nil
  }
}
