import Base
import Glibc
import Unwind

/// The unwind table of one image, wherever it is on its way.
final class UnwindImage {
  enum State {
    /// Never asked for, or put out for want of room.
    case absent
    case ordered
    /// Built, and waiting for room.
    case waiting
    case loaded(StoredTable)
    /// The file does not say how to unwind its code, or its table is larger than the budget.
    case without
  }
  /// Its number among the unwinder's images.
  let number: Int
  let path: String
  var state = State.absent
  /// An own descriptor, so that the table can be built again; -1 for the vDSO and for what could not be opened.
  private(set) var descriptor: Int32
  let isVDSO: Bool
  private var uses: [Use] = []
  /// Uses are looked through for those that are gone when they have become so many.
  private var usesLimit = 32

  /// A mapping of it.
  private struct Use {
    weak var layout: UnwindLayout?
    var index: Int
  }

  init(number: Int, path: String, descriptor: Int32, isVDSO: Bool) {
    self.number = number
    self.path = path
    self.isVDSO = isVDSO
    self.descriptor = descriptor >= 0 ? fcntl(descriptor, F_DUPFD_CLOEXEC, 0) : -1
  }
  /// A file that was found later.
  func take(_ found: Int32) {
    guard descriptor < 0, found >= 0 else { return }
    descriptor = fcntl(found, F_DUPFD_CLOEXEC, 0)
    if case .without = state { state = .absent }
  }

  deinit { if descriptor >= 0 { _ = close(descriptor) } }

  /// Mapping `index` of the layout is of this image.
  func use(by layout: UnwindLayout, at index: Int) {
    if uses.count >= usesLimit {
      uses.removeAll { $0.layout == nil }
      usesLimit = max(uses.count * 2, 32)
    }
    uses.append(Use(layout: layout, index: index))
  }

  /// Every mapping of it that something still points to.
  func forEachUse(_ body: (UnwindLayout, Int) -> Void) {
    for use in uses {
      if let layout = use.layout { body(layout, use.index) }
    }
  }

  var stored: StoredTable? { if case .loaded(let table) = state { table } else { nil } }
}
