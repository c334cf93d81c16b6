import Synchronization

/// What is wanted of one JVM.
package struct JavaOrder: Hashable, Sendable {
  package var request: JavaRequest
  /// `nil`: by the JVM's own Flight Recorder alone.
  package var agent: AgentLibrary?
  /// Whether a recording that begins as it should is worth no word.
  package var isQuiet = false

  package init(_ request: JavaRequest, agent: AgentLibrary? = nil) {
    self.request = request
    self.agent = agent
  }
}

/// Which JVMs are to be recorded. What is listed may change while they are.
package final class JavaOrders: Sendable {
  package enum Scope: Sendable {
    /// Each until it ends, and then no other of its number.
    case named([UInt32], JavaOrder)
    /// Every JVM there is, and that begins.
    case every(JavaOrder)
    /// By process: as long as it is listed.
    case listed([UInt32: JavaOrder])
  }
  private let scope: Mutex<Scope>

  package init(_ scope: Scope) { self.scope = Mutex(scope) }

  /// From now on these and no others; recordings of others, and those that were ordered otherwise, end.
  package func list(_ orders: [UInt32: JavaOrder]) { scope.withLock { $0 = .listed(orders) } }

  package func order(of process: UInt32) -> JavaOrder? {
    scope.withLock { scope in
      switch scope {
      case .named(let processes, let order): processes.contains(process) ? order : nil
      case .every(let order): order
      case .listed(let orders): orders[process]
      }
    }
  }

  /// Those that are named for good; `nil` when they have to be looked for.
  var named: [UInt32]? {
    scope.withLock { if case .named(let processes, _) = $0 { processes } else { nil } }
  }

  /// Those that are listed, in ascending order; `nil` when every process may be one.
  var listed: [UInt32]? {
    scope.withLock { if case .listed(let orders) = $0 { orders.keys.sorted() } else { nil } }
  }
}
