import Base
import CRecorderABI
import TraceFormat

/// Counts where stacks break off or have to be guessed, by image and reason.
struct UnwindBreaks {
  private struct Key: Hashable {
    var image: ImageHandle
    var reason: UInt8
    var wasGuessed: Bool
  }
  private var counts: [Key: UInt64] = [:]

  /// - Parameters:
  ///   - frame: the frame whose caller was not found by a table.
  ///   - reason: a result that has such a frame; others are passed over.
  mutating func note(frame: UInt64?, reason: UInt8, wasGuessed: Bool, in mappings: MappingTable) {
    switch UnwindResult(rawValue: reason) {
    case .complete, .framePointers, .guessed: return
    default: break
    }
    let image = frame.flatMap { mappings.interval(at: $0) }?.image.handle
    counts[Key(image: image ?? .kernel, reason: reason, wasGuessed: wasGuessed), default: 0] += 1
  }

  /// What came up since the last call, in order of image and reason.
  mutating func take() -> [UnwindBreakRecord] {
    let records = counts.map {
      UnwindBreakRecord(image: $0.key.image, reason: $0.key.reason, wasGuessed: $0.key.wasGuessed, count: $0.value)
    }
    counts.removeAll(keepingCapacity: true)
    return records.sorted {
      ($0.image.rawValue, $0.reason, $0.wasGuessed ? 1 : 0) < ($1.image.rawValue, $1.reason, $1.wasGuessed ? 1 : 0)
    }
  }
}

/// What is known of the first caller that was guessed; `nil` fields in a stack without guesses.
struct FirstGuess {
  /// The frame that was guessed.
  var frame: Int
  /// Why.
  var reason: UInt8

  init?(guesses: UInt8, reason: UInt8, frame: UInt16) {
    guard guesses != 0 else { return nil }
    self.frame = Int(frame)
    self.reason = reason
  }
}
