import Base
import Symbolize
import TraceFormat

extension SymbolizeStage {
  /// The kernel's functions as they were recorded, with lines and inlined functions where the debug files of the kernel and its
  /// modules are to be had. Without `kernelRelease` none is looked for.
  func kernelAnswer(_ addresses: [UInt64], _ contents: TraceContents, _ kernel: KernelSymbolTable) -> Found {
    let symbols = addresses.map { kernel.symbol(at: $0) }
    var answer = Found(
      symbolizations: symbols.map { $0.map { .frames([Frame(function: $0.name)]) } ?? .unknown(.kernelSymbolUnknown) }, steps: [])
    guard let kernelRelease else { return answer }
    var placesByModule: [String: [Int]] = [:]
    for (place, symbol) in symbols.enumerated() {
      if let symbol { placesByModule[symbol.module.isEmpty ? "vmlinux" : symbol.module, default: []].append(place) }
    }
    // In the order of the record, whatever the dictionary's is.
    for module in contents.kernelModules {
      guard let places = placesByModule.removeValue(forKey: module.name) else { continue }
      let found = symbolizer.locator.locateKernel(module.name, buildID: BuildID(hex: module.buildID), release: kernelRelease)
      answer.steps += found.steps
      let isKernel = module.name == "vmlinux"
      guard let file = found.debugFile else { continue }
      var named: [KernelSymbolTable.Symbol] = []
      for place in places {
        if let symbol = symbols[place], named.last != symbol { named.append(symbol) }
      }
      guard
        let lines = KernelLines(
          file, symbols: named, textStart: isKernel ? module.address : nil, workers: workers, steps: &answer.steps)
      else { continue }
      let frames = lines.frames(
        at: places.map { addresses[$0] }, names: places.map { symbols[$0]?.name ?? "" }, showsInlines: symbolizer.showsInlines,
        workers: workers)
      for (number, place) in places.enumerated() where !frames[number].isEmpty {
        answer.symbolizations[place] = .frames(frames[number])
      }
    }
    return answer
  }
}
