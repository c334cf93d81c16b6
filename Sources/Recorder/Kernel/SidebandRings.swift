import Base
import CLibBPF
import Glibc

/// perf's ring buffers for names and mappings, and for forks and exits: one of each a CPU.
///
/// Names and mappings wake the recorder at once, because what they tell of can be asked only while it lives. The others
/// ask for nothing and wait until somebody looks or many have come.
@safe final class SidebandRings {
  /// Data bytes a CPU, powers of two: some hundred processes' beginnings between two looks. Together with a page each
  /// below what kernel.perf_event_mlock_kb allows by default.
  private static let programBytes = 256 * 1024
  private static let lifeBytes = 128 * 1024

  @safe private struct Ring {
    var descriptor: Int32
    var page: UnsafeMutableRawPointer
    var dataBytes: Int
  }
  /// Names and mappings first: what began before them is then read after them.
  private var rings: [Ring] = []
  private let pageBytes = Int(sysconf(Int32(_SC_PAGESIZE)))

  /// - Parameter tellsLivesAtOnce: forks and exits wake the recorder too.
  init(cpus: [Int32], tellsLivesAtOnce: Bool) throws(RecorderError) {
    let livesWakeup = tellsLivesAtOnce ? 1 : UInt32(Self.lifeBytes / 2)
    for cpu in cpus { try open(cpu, isLives: false, dataBytes: Self.programBytes, wakeupBytes: 1) }
    for cpu in cpus { try open(cpu, isLives: true, dataBytes: Self.lifeBytes, wakeupBytes: livesWakeup) }
  }

  private func open(_ cpu: Int32, isLives: Bool, dataBytes: Int, wakeupBytes: UInt32) throws(RecorderError) {
    var attributes = perf_event_attr()
    unsafe pyrorec_sideband_attr(&attributes, isLives ? 1 : 0, wakeupBytes)
    let descriptor = unsafe pyrorec_perf_event_open(&attributes, -1, cpu, -1, UInt(PERF_FLAG_FD_CLOEXEC))
    if descriptor < 0, errno == ENODEV { return }  // went offline meanwhile
    guard descriptor >= 0 else { throw .refused(operation: "perf_event_open for process events", code: errno, detail: "") }
    guard
      let page = unsafe mmap(nil, pageBytes + dataBytes, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0),
      unsafe page != MAP_FAILED
    else {
      let code = errno
      _ = close(descriptor)
      throw .refused(
        operation: "mapping perf's buffer (\(dataBytes / 1024) KiB a CPU; see kernel.perf_event_mlock_kb and `ulimit -l`)",
        code: code, detail: "")
    }
    unsafe rings.append(Ring(descriptor: descriptor, page: page, dataBytes: dataBytes))
  }

  deinit {
    for ring in rings {
      _ = unsafe munmap(ring.page, pageBytes + ring.dataBytes)
      _ = close(ring.descriptor)
    }
  }

  var descriptors: [Int32] { rings.map(\.descriptor) }

  /// Moves everything that waits to the end of `bytes`, one CPU after another.
  func drain(into bytes: inout [UInt8]) {
    for ring in rings {
      // Safe: the mapping is `pageBytes + dataBytes` long, the data starts at `pageBytes`, and both ends of every copy are
      // taken modulo `dataBytes`, a power of two.
      let head = unsafe pyrorec_perf_head(ring.page)
      let tail = unsafe pyrorec_perf_tail(ring.page)
      let waiting = Int(truncatingIfNeeded: min(head &- tail, UInt64(ring.dataBytes)))
      guard waiting > 0 else { continue }
      let data = unsafe ring.page + pageBytes
      let start = Int(truncatingIfNeeded: tail & UInt64(ring.dataBytes - 1))
      let first = min(waiting, ring.dataBytes - start)
      unsafe bytes.append(contentsOf: UnsafeRawBufferPointer(start: data + start, count: first))
      unsafe bytes.append(contentsOf: UnsafeRawBufferPointer(start: data, count: waiting - first))
      unsafe pyrorec_perf_set_tail(ring.page, head)
    }
  }
}
