import Base
import CLibBPF
import Glibc

/// perf's ring buffers for names, forks, exits and mappings, one a CPU.
@safe final class SidebandRings {
  /// Data bytes a CPU, a power of two: some hundred processes' beginnings between two looks.
  private static let dataBytes = 256 * 1024

  @safe private struct Ring {
    var descriptor: Int32
    var page: UnsafeMutableRawPointer
  }
  private var rings: [Ring] = []
  private let pageBytes = Int(sysconf(Int32(_SC_PAGESIZE)))

  init(cpus: [Int32]) throws(RecorderError) {
    for cpu in cpus {
      var attributes = perf_event_attr()
      unsafe pyrorec_sideband_attr(&attributes)
      let descriptor = unsafe pyrorec_perf_event_open(&attributes, -1, cpu, -1, UInt(PERF_FLAG_FD_CLOEXEC))
      if descriptor < 0, errno == ENODEV { continue }  // went offline meanwhile
      guard descriptor >= 0 else { throw .refused(operation: "perf_event_open for process events", code: errno, detail: "") }
      guard
        let page = unsafe mmap(nil, pageBytes + Self.dataBytes, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0),
        unsafe page != MAP_FAILED
      else {
        let code = errno
        _ = close(descriptor)
        throw .refused(
          operation: "mapping perf's buffer (\(Self.dataBytes / 1024) KiB a CPU; see kernel.perf_event_mlock_kb and `ulimit -l`)",
          code: code, detail: "")
      }
      unsafe rings.append(Ring(descriptor: descriptor, page: page))
    }
  }

  deinit {
    for ring in rings {
      _ = unsafe munmap(ring.page, pageBytes + Self.dataBytes)
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
      let waiting = Int(truncatingIfNeeded: min(head &- tail, UInt64(Self.dataBytes)))
      guard waiting > 0 else { continue }
      let data = unsafe ring.page + pageBytes
      let start = Int(truncatingIfNeeded: tail & UInt64(Self.dataBytes - 1))
      let first = min(waiting, Self.dataBytes - start)
      unsafe bytes.append(contentsOf: UnsafeRawBufferPointer(start: data + start, count: first))
      unsafe bytes.append(contentsOf: UnsafeRawBufferPointer(start: data, count: waiting - first))
      unsafe pyrorec_perf_set_tail(ring.page, head)
    }
  }
}
