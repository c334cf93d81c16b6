import Symbolize
import Synchronization

/// What was found at addresses of files in earlier traces of one machine, for whoever replays one trace after another.
///
/// A file is known by its identity: one that was replaced is another. What was used lately is kept in two halves: when the
/// newer one is full it becomes the older one, and what nobody asked for meanwhile is forgotten, which costs time and nothing
/// else.
package final class SymbolMemory: Sendable {
  /// Of each half: addresses, and bytes of different names. With their frames some 16 MiB.
  private static let maximumAddresses = 1 << 16
  private static let maximumTextBytes = 8 << 20

  fileprivate struct Half {
    var known: [ImageIdentity: [UInt64: Symbolization]] = [:]
    var addressCount = 0
    var textBytes = 0
    /// Equal names, and equal frames, are there once.
    var texts: Set<String> = []
    var frames: Set<[Frame]> = []

    var isFull: Bool { addressCount >= SymbolMemory.maximumAddresses || textBytes >= SymbolMemory.maximumTextBytes }

    mutating func remember(_ image: ImageIdentity, _ address: UInt64, _ found: Symbolization) {
      guard known[image]?[address] == nil else { return }
      var kept = found
      if case .frames(let list) = found { kept = .frames(shared(list)) }
      known[image, default: [:]][address] = kept
      addressCount += 1
    }

    private mutating func shared(_ list: [Frame]) -> [Frame] {
      if let index = frames.firstIndex(of: list) { return frames[index] }
      let own = list.map { frame in
        var frame = frame
        frame.function = shared(frame.function)
        frame.file = frame.file.map { shared($0) }
        return frame
      }
      frames.insert(own)
      return own
    }

    private mutating func shared(_ text: String) -> String {
      let (isNew, kept) = texts.insert(text)
      if isNew { textBytes += text.utf8.count }
      return kept
    }
  }
  fileprivate struct State {
    var new = Half()
    var old = Half()
  }
  private let state = Mutex(State())

  package init() {}

  /// What was found at those of `addresses` that were looked up before.
  func known(_ image: ImageIdentity, _ addresses: [UInt64]) -> [UInt64: Symbolization] {
    state.withLock { state in
      var found: [UInt64: Symbolization] = [:]
      var used: [(UInt64, Symbolization)] = []
      do {
        let (new, old) = (state.new.known[image] ?? [:], state.old.known[image] ?? [:])
        for address in addresses {
          if let symbolization = new[address] {
            found[address] = symbolization
          } else if let symbolization = old[address] {
            found[address] = symbolization
            used.append((address, symbolization))
          }
        }
      }
      for (address, symbolization) in used { state.remember(image, address, symbolization) }
      return found
    }
  }

  func remember(_ image: ImageIdentity, _ found: [(address: UInt64, symbolization: Symbolization)]) {
    state.withLock { state in
      for (address, symbolization) in found { state.remember(image, address, symbolization) }
    }
  }
}

extension SymbolMemory.State {
  fileprivate mutating func remember(_ image: ImageIdentity, _ address: UInt64, _ symbolization: Symbolization) {
    if new.isFull { (old, new) = (new, SymbolMemory.Half()) }
    new.remember(image, address, symbolization)
  }
}
