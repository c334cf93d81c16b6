import Base
import Interpreters
import ObjectFile
package import Symbolize
import TraceFormat

/// Looks up every distinct address of a trace, image by image, on as many threads as asked.
package struct SymbolizeStage: Sendable {
  package var symbolizer: Symbolizer
  package var workers: Int
  /// `uname -r` of the recording, to look for the kernel's debug file; `nil` looks for none.
  package var kernelRelease: String?
  /// What earlier traces have shown; `nil` looks everything up.
  package var memory: SymbolMemory?

  package init(symbolizer: Symbolizer, workers: Int, kernelRelease: String? = nil) {
    self.symbolizer = symbolizer
    self.workers = workers
    self.kernelRelease = kernelRelease
  }

  /// From here on the units of one image are read by several threads.
  private static let manyAddresses = 256

  /// Looks nothing up: names are the trace's own or there are none.
  package static let none: SymbolizeStage? = nil

  /// How the files of one image were found, for `symbolize --verbose`.
  package struct ImageSteps: Sendable {
    /// Its handle in the trace.
    package var image: UInt32
    package var path: String
    package var addressCount: Int
    package var steps: [LocatorStep]
  }

  struct Found: Sendable {
    /// One an address.
    var symbolizations: [Symbolization]
    var steps: [LocatorStep]
  }

  func run(_ locations: [CodeLocation], _ contents: TraceContents) -> (names: SymbolNames, steps: [ImageSteps]) {
    var byImage: [UInt32: [UInt64]] = [:]
    for location in locations { byImage[location.image, default: []].append(location.address) }
    let images = byImage.keys.sorted()
    let addresses = images.map { (byImage[$0] ?? []).sorted() }
    let kernel = KernelSymbolTable(
      contents.kernelSymbols.map {
        KernelSymbolTable.Symbol(address: $0.address, byteCount: $0.byteCount, name: $0.name, module: $0.module)
      })
    // The largest first, so that no thread is left alone with it at the end.
    let order = images.indices.sorted { (addresses[$0].count, $1) > (addresses[$1].count, $0) }
    let found = parallelMap(count: order.count, workers: workers) { place -> Found in
      let index = order[place]
      return self.answer(images[index], addresses[index], contents, kernel)
    }
    var answers = [Found?](repeating: nil, count: images.count)
    for (place, answer) in found.enumerated() { answers[order[place]] = answer }
    var names = SymbolNames()
    var steps: [ImageSteps] = []
    for (index, image) in images.enumerated() {
      guard let answer = answers[index] else { continue }
      names.add(image: image, addresses: addresses[index], answer.symbolizations)
      if image == ImageHandle.kernel.rawValue, !answer.steps.isEmpty {
        steps.append(ImageSteps(image: image, path: "vmlinux", addressCount: addresses[index].count, steps: answer.steps))
      } else if image != CodeLocation.unmapped, image != ImageHandle.kernel.rawValue,
        CodeLocation.interpreter(ofImage: image) == nil
      {
        steps.append(
          ImageSteps(
            image: image, path: contents.images[image]?.path ?? "", addressCount: addresses[index].count, steps: answer.steps))
      }
    }
    return (names, steps)
  }

  private func answer(
    _ image: UInt32, _ addresses: [UInt64], _ contents: TraceContents, _ kernel: KernelSymbolTable
  ) -> Found {
    if image == CodeLocation.unmapped {
      return Found(symbolizations: addresses.map { _ in .unknown(.mappingUnknown) }, steps: [])
    }
    if image == ImageHandle.kernel.rawValue { return kernelAnswer(addresses, contents, kernel) }
    if let interpreter = CodeLocation.interpreter(ofImage: image) {
      return Found(symbolizations: addresses.map { contents.symbolization(of: interpreter, at: $0) }, steps: [])
    }
    guard let record = contents.images[image] else {
      return Found(symbolizations: addresses.map { _ in .unknown(.mappingUnknown) }, steps: [])
    }
    if record.kind == .anonymous, let symbols = contents.jitSymbols[image] {
      let table = JITSymbolTable(
        symbols.map { JITSymbol(address: $0.symbol.address, byteCount: $0.symbol.byteCount, name: $0.symbol.name) })
      return Found(
        symbolizations: table.names(at: addresses).map {
          $0.map { .frames([Frame(function: $0)]) } ?? .unknown(.addressOutsideEveryFunction)
        }, steps: [])
    }
    if let memory, record.kind == .file { return answer(record.identity, addresses, memory) }
    let answer = symbolizer.symbolize(
      record.identity, addresses.map { ImageAddress($0) }, workers: addresses.count >= Self.manyAddresses ? workers : 1)
    return Found(symbolizations: answer.symbolizations, steps: answer.steps)
  }
}

extension SymbolizeStage {
  /// With what is remembered of the file.
  private func answer(_ image: ImageIdentity, _ addresses: [UInt64], _ memory: SymbolMemory) -> Found {
    var known = memory.known(image, addresses)
    let asked = addresses.filter { known[$0] == nil }
    var steps: [LocatorStep] = []
    if !asked.isEmpty {
      let answer = symbolizer.symbolize(
        image, asked.map { ImageAddress($0) }, workers: asked.count >= Self.manyAddresses ? workers : 1)
      steps = answer.steps
      memory.remember(image, zip(asked, answer.symbolizations).map { ($0, $1) })
      for (address, symbolization) in zip(asked, answer.symbolizations) { known[address] = symbolization }
    }
    return Found(symbolizations: addresses.map { known[$0] ?? .unknown(.mappingUnknown) }, steps: steps)
  }
}

extension ImageRecord {
  /// In the words of the Symbolize room, which does not know traces.
  package var identity: ImageIdentity {
    let kind: ImageIdentity.Kind =
      switch self.kind {
      case .file: .file
      case .vdso: .vdso
      case .anonymous: .anonymous
      case .kernel: .kernel
      case .kernelModule: .kernelModule
      }
    return ImageIdentity(
      path: path, buildID: buildID, device: device, inode: inode, byteCount: byteCount, modified: modified, kind: kind)
  }
}
