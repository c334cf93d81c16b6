import Symbolize
import Synchronization

/// What was found at addresses of files in earlier traces of one machine, for whoever replays one trace after another.
///
/// A file is known by its identity: one that was replaced is another.
package final class SymbolMemory: Sendable {
  /// Addresses kept in all; above that everything is forgotten, which costs time and nothing else.
  private static let maximumAddresses = 1 << 18

  private struct State {
    var known: [ImageIdentity: [UInt64: Symbolization]] = [:]
    var count = 0
  }
  private let state = Mutex(State())

  package init() {}

  /// What was found at those of `addresses` that were looked up before.
  func known(_ image: ImageIdentity, _ addresses: [UInt64]) -> [UInt64: Symbolization] {
    state.withLock { state in
      guard let all = state.known[image] else { return [:] }
      var found: [UInt64: Symbolization] = [:]
      for address in addresses { found[address] = all[address] }
      return found
    }
  }

  func remember(_ image: ImageIdentity, _ found: [(address: UInt64, symbolization: Symbolization)]) {
    state.withLock { state in
      if state.count + found.count > Self.maximumAddresses { state = State() }
      for (address, symbolization) in found.prefix(Self.maximumAddresses) {
        if state.known[image, default: [:]].updateValue(symbolization, forKey: address) == nil { state.count += 1 }
      }
    }
  }
}
