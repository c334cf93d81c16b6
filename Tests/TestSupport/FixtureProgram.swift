import Base
import Glibc
import Synchronization

/// The programs of `fixtures/programs`, built when they are first asked for.
package enum FixtureProgram {
  private static let built = Mutex<Bool>(false)

  /// The path of the program or library `name`.
  package static func path(_ name: String) throws -> String {
    let directory = "\(Command.repository)/fixtures/programs"
    let path = "\(directory)/out/\(name)"
    try built.withLock { built in
      if built || access(path, R_OK) == 0 { return }
      let outcome = try Command.run(["\(directory)/build"], limit: .seconds(300))
      guard outcome.status == 0 else { throw CommandFailure(description: "fixtures/programs/build: \(outcome)") }
      built = true
    }
    guard access(path, R_OK) == 0 else { throw CommandFailure(description: "fixtures/programs/build made no \(name)") }
    return path
  }
}
