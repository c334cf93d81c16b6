import Base
import Dispatch
import Glibc
import Interpreters
import ObjectFile
import Synchronization

/// What was found in a file: an interpreter, and how the file lies in memory.
struct Recognised: Sendable {
  var python: PythonBinary
  var layout: ImageLayout

  /// - Parameter descriptor: stays open.
  init?(_ descriptor: Int32, path: String) {
    let duplicate = fcntl(descriptor, F_DUPFD_CLOEXEC, 0)
    guard duplicate >= 0, let file = try? MappedFile(OwnedDescriptor(owning: duplicate), path: path),
      let elf = try? ElfFile(file.bytes), let python = PythonBinary(elf, path: path)
    else { return nil }
    self.python = python
    layout = elf.layout
  }

  /// Files that are called like the interpreter are looked into at once, all others beside the recording: a program may hold one.
  static func isLikely(_ path: String) -> Bool {
    let name = path.split(separator: "/").last ?? ""
    return name.utf8.count >= 6 && name.lowercased().contains("python")
  }
}

/// Looks into files on a thread of its own.
final class Recogniser: Sendable {
  private let queue = DispatchQueue(label: "pyrorec.recognise", qos: .utility)
  private let found = Mutex<[(number: Int, Recognised)]>([])

  /// - Parameter descriptor: is closed when it was looked into.
  func look(into descriptor: Int32, path: String, number: Int) {
    queue.async {
      // The programs that are profiled come first. Only this thread.
      _ = setpriority(__priority_which_t(PRIO_PROCESS.rawValue), 0, 5)
      if let recognised = Recognised(descriptor, path: path) { self.found.withLock { $0.append((number, recognised)) } }
      _ = close(descriptor)
    }
  }

  func takeFound() -> [(number: Int, Recognised)] {
    found.withLock { found in
      defer { found = [] }
      return found
    }
  }
}
