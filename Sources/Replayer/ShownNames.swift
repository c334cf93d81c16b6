import Base
import Profile
import Symbolize

/// What the functions of a layer of names are shown as: demangled once, on several threads.
struct ShownNames: Sendable {
  /// By string number: where its demangled form is, or `asItIs`.
  private var places: [UInt32] = []
  private var pieces: [StringTable] = []
  private static let asItIs = UInt32.max
  /// Names that one thread takes at a time; at most as many per piece as the lower bits of a place can tell apart.
  private static let pieceCount = 1024

  init(_ names: SymbolNames, mode: DemangleMode, workers: Int) {
    places = [UInt32](repeating: Self.asItIs, count: names.strings.count)
    guard mode != .none else { return }
    let isFunction = names.functionFlags()
    let count = (names.strings.count + Self.pieceCount - 1) / Self.pieceCount
    let made = parallelMap(count: count, workers: workers) { piece -> Piece in
      Piece(names.strings, isFunction, from: piece * Self.pieceCount, count: Self.pieceCount, mode: mode)
    }
    pieces.reserveCapacity(count)
    for (number, piece) in made.enumerated() {
      pieces.append(piece.texts)
      for (offset, place) in piece.places.enumerated() where place != 0 {
        places[number * Self.pieceCount + offset] = UInt32(number * Self.pieceCount) + UInt32(place) - 1
      }
    }
  }

  private struct Piece: Sendable {
    var texts = StringTable()
    /// By string of the piece: its number in `texts`; 0 for one that is shown as it is.
    var places: [UInt16] = []

    init(_ strings: StringTable, _ isFunction: [Bool], from start: Int, count: Int, mode: DemangleMode) {
      let end = min(start + count, strings.count)
      places.reserveCapacity(end - start)
      for number in start..<end {
        let text =
          isFunction[number] ? strings.withSpan(StringHandle(UInt32(number))) { Demangler.demangled($0, mode) } : nil
        places.append(text.map { UInt16(texts.append($0).rawValue) } ?? 0)
      }
    }
  }

  /// Lends the demangled form of string `number` to `body`; `nil` for one that is shown as it is.
  func withText<Result>(_ number: UInt32, _ body: (Span<UInt8>) -> Result) -> Result? {
    let place = places[Int(number)]
    guard place != Self.asItIs else { return nil }
    let piece = Int(place) / Self.pieceCount
    return pieces[piece].withSpan(StringHandle(place - UInt32(piece * Self.pieceCount) + 1), body)
  }

  func text(_ number: UInt32, of names: SymbolNames) -> String {
    // Safe: a byte has no padding, so every one of them is initialized.
    withText(number) { unsafe $0.bytes.text() } ?? names.strings[StringHandle(number)]
  }
}
