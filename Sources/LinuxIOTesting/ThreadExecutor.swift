internal import Foundation

/// A thread as an executor: what is sent to it runs there, in order, until it is told to finish.
internal final class ThreadExecutor: SerialExecutor, @unchecked Sendable {
  private let condition = NSCondition()
  private var jobs: [UnownedJob] = []
  private var isFinished = false

  /// Starts the thread.
  internal init() {
    Thread { [self] in serve() }.start()
  }

  /// Queues a job.
  internal func enqueue(_ job: consuming ExecutorJob) {
    let job = UnownedJob(job)
    condition.withLock {
      jobs.append(job)
      condition.signal()
    }
  }

  /// Lets the thread end once it has nothing left to run.
  internal func finish() {
    condition.withLock {
      isFinished = true
      condition.signal()
    }
  }

  private func serve() {
    while let job = next() {
      unsafe job.runSynchronously(on: asUnownedSerialExecutor())
    }
  }

  private func next() -> UnownedJob? {
    condition.withLock {
      while jobs.isEmpty, !isFinished { condition.wait() }
      return jobs.isEmpty ? nil : jobs.removeFirst()
    }
  }
}
