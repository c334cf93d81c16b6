package import Base
import ObjectFile

/// Turns addresses of images into functions, image by image.
///
/// Holds nothing of an image from one call to the next but what `opened` keeps, so calls may run at the same time and memory is
/// given back with each.
package struct Symbolizer: Sendable {
  package var locator: ImageLocator
  /// Whether functions that were inlined get frames of their own. Without, a function's line is that of the call.
  package var showsInlines: Bool
  /// Lines that were looked up in an earlier run; `nil` keeps none.
  package var prepared: PreparedLines?
  /// Tables and debug files that were read in an earlier call; `nil` reads them again.
  package var opened: OpenedImages?

  package init(locator: ImageLocator, showsInlines: Bool = true, prepared: PreparedLines? = nil) {
    self.locator = locator
    self.showsInlines = showsInlines
    self.prepared = prepared
  }

  /// The answers for one image.
  package struct Answer: Sendable {
    /// One for each address asked for, in the same order.
    package var symbolizations: [Symbolization]
    /// How the files were found.
    package var steps: [LocatorStep]
  }

  /// Of the names given for one image together: a damaged string table must not fill memory.
  static let maximumNameByteCount = 256 << 20
  /// What a name may have once that is reached.
  static let shortNameByteCount = 256

  /// - Parameters:
  ///   - addresses: best in ascending order; return addresses already moved into their call.
  ///   - workers: threads to use at most for this image; what comes out does not depend on it.
  package func symbolize(_ image: ImageIdentity, _ addresses: [ImageAddress], workers: Int = 1) -> Answer {
    switch image.kind {
    case .anonymous: return Answer(symbolizations: addresses.map { _ in .unknown(.anonymousMemory) }, steps: [])
    case .kernel: return Answer(symbolizations: addresses.map { _ in .unknown(.kernelSymbolUnknown) }, steps: [])
    case .file, .vdso, .kernelModule: break
    }
    let located = locator.locate(image)
    var answer = symbolize(addresses, with: located)
    addLines(image, located, addresses, workers, to: &answer)
    // A file that was cut short while it was read has zeros in the place of what is gone: nothing of it is believed.
    if located.image?.isDamaged == true || located.debugFile?.isDamaged == true {
      answer.symbolizations = addresses.map { _ in .unknown(.malformedImage) }
    }
    return answer
  }

  private func symbolize(_ addresses: [ImageAddress], with located: ImageLocator.Located) -> Answer {
    guard located.image != nil || located.debugFile != nil else {
      let reason = Self.reasonWithoutImage(located.steps)
      return Answer(symbolizations: addresses.map { _ in .unknown(reason) }, steps: located.steps)
    }
    if let bytes = located.image?.bytes, located.debugFile == nil, !ElfIdentification(prefix: bytes).isELF {
      return Answer(symbolizations: addresses.map { _ in .unknown(.notELF) }, steps: located.steps)
    }
    let key = opened == nil ? nil : OpenedImages.Key(located)
    let table: SymbolTable
    do throws(MalformedInput) {
      if let known = knownTable(key) {
        table = known
      } else {
        table = try SymbolTable(image: located.image, debugFile: located.debugFile)
      }
    } catch {
      let damaged = LocatorStep(place: .recordedCopy, path: located.path, outcome: .malformed(error))
      return Answer(symbolizations: addresses.map { _ in .unknown(.malformedImage) }, steps: located.steps + [damaged])
    }
    let missing = Self.reason(for: table, located.steps)
    let symbolizations = Self.lookUp(addresses, in: table, FrameSources(located), missing: missing)
    // Those that the table does not need are kept too: while they are mapped no other file gets their numbers.
    let files = table.files + [located.image, located.debugFile].compactMap { $0 }
    // Cut short while names were read from it: the file as it is now is another one.
    guard !files.contains(where: \.isDamaged) else {
      return Answer(symbolizations: addresses.map { _ in .unknown(.malformedImage) }, steps: located.steps)
    }
    if let key { opened?.keep(.symbols(table), as: key, files: files) }
    return Answer(symbolizations: symbolizations, steps: located.steps)
  }

  private func knownTable(_ key: OpenedImages.Key?) -> SymbolTable? {
    guard let key, case .symbols(let table) = opened?.take(key) else { return nil }
    return table
  }

  private static func lookUp(
    _ addresses: [ImageAddress], in table: SymbolTable, _ sources: consuming FrameSources, missing: MissReason
  ) -> [Symbolization] {
    var sources = sources
    let hasSources = !sources.isEmpty
    var symbolizations: [Symbolization] = []
    symbolizations.reserveCapacity(addresses.count)
    var range = 0
    var nameBytesLeft = maximumNameByteCount
    // Neighbours mostly lie in one function: its name is read once and its frames are shared.
    var lastFunction: Int?
    var last = Symbolization.unknown(missing)
    for address in addresses {
      if hasSources, nameBytesLeft > 0, let frames = sources.frames(at: address) {
        for frame in frames { nameBytesLeft -= min(nameBytesLeft, frame.function.utf8.count) }
        symbolizations.append(.frames(frames))
        continue
      }
      guard let function = table.function(at: address, from: &range) else {
        symbolizations.append(.unknown(missing))
        continue
      }
      if function != lastFunction {
        let limit = nameBytesLeft > 0 ? ElfStrings.maximumNameByteCount : shortNameByteCount
        let name = table.name(of: function, limit: limit)
        nameBytesLeft -= min(nameBytesLeft, name.utf8.count)
        last = name.isEmpty ? .unknown(missing) : .frames([Frame(function: name)])
        lastFunction = function
      }
      symbolizations.append(last)
    }
    return symbolizations
  }

  private static func reason(for table: SymbolTable, _ steps: [LocatorStep]) -> MissReason {
    if table.origin == .symbolTable || table.origin == .miniDebugInfo { return .addressOutsideEveryFunction }
    if steps.contains(where: \.isForeignDebugFile) { return .debugFileMismatch }
    return steps.contains(where: \.isUnreachable) ? .debugFileUnreachable : .strippedNoDebugFile
  }

  private static func reasonWithoutImage(_ steps: [LocatorStep]) -> MissReason {
    let isChanged = steps.contains { step in
      if case .mismatch = step.outcome { return step.place == .originalFile }
      return false
    }
    return isChanged ? .imageChanged : .noImageCopy
  }
}

extension LocatorStep {
  /// A debug file that may be there and could not be had.
  fileprivate var isUnreachable: Bool {
    guard place != .originalFile, place != .recordedCopy else { return false }
    switch outcome {
    case .unreadable, .unreachable, .tooLarge, .malformed: return true
    case .used, .notFound, .mismatch, .knownMissing, .notAsked, .unfit: return false
    }
  }

  /// A debug file that was there and belongs to another build.
  fileprivate var isForeignDebugFile: Bool {
    guard place != .originalFile, case .mismatch(let why) = outcome else { return false }
    switch why {
    case .buildID, .crc: return true
    case .unproven, .changed, .unsafeName: return false
    }
  }
}
