// What a worker and the control thread may do with what they share, and what a worker does with each injected frame.
#include "dataplane/exchange.h"

#include <type_traits>
#include <utility>

#include "dataplane/context.h"
#include "dataplane/worker.h"
#include "tests/catch.h"
#include "tests/support/mbufs.h"

namespace causeway::test {
namespace {

template <class End>
concept MayPunt = requires(End end) {
  end.punt(PuntedFrame{});
};
template <class End>
concept MayTakePunted = requires(End end, PuntedFrame& frame) {
  end.take_punted(frame);
};
template <class End>
concept MayInject = requires(End end) {
  end.inject(InjectedFrame{});
};
template <class End>
concept MayTakeInjected = requires(End end, InjectedFrame& frame) {
  end.take(frame);
};

static_assert(MayPunt<Mailbox&> && MayTakeInjected<Mailbox&>);
static_assert(!MayInject<Mailbox&> && !MayTakePunted<Mailbox&>);
static_assert(MayInject<Mailbox::ControlEnd> && MayTakePunted<Mailbox::ControlEnd>);
static_assert(!MayPunt<Mailbox::ControlEnd> && !MayTakeInjected<Mailbox::ControlEnd>);
static_assert(!std::is_constructible_v<Mailbox::ControlEnd, Mailbox&>, "a stage makes none for itself");

template <class T>
concept MayPublish = requires(T& tables, const PortEntry* port) {
  tables.ports[0].store(port);
};
template <class T>
concept MayCallChanged = requires(T& tables) {
  tables.changed();
};
template <class T>
concept MayPassQuiescent = requires(T& tables) {
  tables.quiescence.quiescent(0);
};
template <class T>
concept MayMove = requires(T& fdb) {
  fdb.slot(0).exit.store(0);
};

using TablesOfStages = std::remove_reference_t<decltype(std::declval<WorkerContext&>().tables)>;
static_assert(MayPublish<Tables> && MayCallChanged<Tables> && MayPassQuiescent<Tables>);
static_assert(!MayPublish<TablesOfStages> && !MayCallChanged<TablesOfStages> && !MayPassQuiescent<TablesOfStages>);
static_assert(MayMove<FdbTable> && !MayMove<const FdbTable>);

WorkerOptions options(rte_mempool* pool) {
  WorkerOptions options;
  options.pool = pool;
  return options;
}

}  // namespace

TEST_CASE("exchange: a worker takes each kind of injected frame, and keeps none") {
  const MbufPool pool;
  const Bytes bytes(60);
  Tables tables;
  Worker worker(tables, 0, options(pool));
  for (const Inject kind : {Inject::send, Inject::encap, Inject::receive_again}) {
    CAPTURE(static_cast<int>(kind));
    const auto drops = [&] { return worker.counters().drops[static_cast<size_t>(DropReason::port_down)].get(); };
    const uint64_t before = drops();
    REQUIRE(worker.mailbox().inject({.frame = to_mbuf(pool, bytes), .kind = kind, .port = 1, .to = 1}));
    CHECK(worker.mailbox().waiting_for_worker() == 1);
    CHECK(worker.run_once() == 1);
    CHECK(worker.mailbox().waiting_for_worker() == 0);
    CHECK(drops() == before + 1);  // there are neither ports nor adjacencies
  }
  CHECK(worker.counters().from_control.get() == 3);
  CHECK(pool.available() == 1023);
}

TEST_CASE("exchange: a worker's end frees what waits for it") {
  const MbufPool pool;
  Tables tables;
  Worker worker(tables, 0, options(pool));
  for (int i = 0; i < 10; ++i) REQUIRE(worker.mailbox().inject({.frame = to_mbuf(pool, Bytes(60))}));
}

}  // namespace causeway::test
