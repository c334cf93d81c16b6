import CRecorderABI
import Unwind

/// The executable mappings of an address space at one time, as the unwinder reads them. Never changed, only replaced, and
/// shared by a process and its children until one of them changes.
final class UnwindLayout {
  let extent: ExtentAllocator.Extent
  let generation: UInt64
  /// By mapping; `nil` for memory without a file.
  let images: [UnwindImage?]
  /// By mapping.
  let places: [Place]
  private let retire: (ExtentAllocator.Extent) -> Void

  /// Where a mapping lies, and what of its file.
  struct Place {
    var start: UInt64
    var end: UInt64
    var fileOffset: UInt64
  }

  init(
    _ extent: ExtentAllocator.Extent, generation: UInt64, images: [UnwindImage?], places: [Place],
    retire: @escaping (ExtentAllocator.Extent) -> Void
  ) {
    self.extent = extent
    self.generation = generation
    self.images = images
    self.places = places
    self.retire = retire
  }
  deinit { retire(extent) }

  var pointer: pyrorec_unwind_process {
    pyrorec_unwind_process(first: UInt32(extent.first), count: UInt32(images.count), generation: generation)
  }
}
