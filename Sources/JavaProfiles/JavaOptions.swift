/// What is told of threads, beside the stacks.
package enum ThreadDetail: String, CaseIterable, Sendable {
  case off, name
  /// The name with every run of digits as `*`, so that the threads of a pool are one.
  case pool
  case id
}

package struct JavaOptions: Hashable, Sendable {
  /// A label `thread` a sample.
  package var threads = ThreadDetail.off
  /// A label `thread_state` a sample, where the event has one.
  package var states = false
  /// Samples of differently named threads apart, as outputs need that show the name with the stack.
  package var groupsByThreadName = false
  /// The thread's name as the root of each stack, as `asprof --threads` shows it.
  package var framesThreads = false
  package init() {}

  var wantsThreads: Bool { threads != .off || groupsByThreadName || framesThreads }
}
