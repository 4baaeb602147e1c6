"""The lock and the history of a publish, in a real server or file: what is the same in all of them."""

import hashlib
import json

from rendered import Deployment


class StateCases:
    """For a laboratory with `engine`, `staged` (SQL), `orders` (tables) and `to` (SQL: what the JSON
    in `detail` names)."""

    def setUp(self):
        super().setUp()
        self.sql(self.staged)

    def holder(self):
        lock = hashlib.md5(f"{self.database}.stage".encode()).hexdigest()[:16]
        return self.sql(f"select fence, nonce, id from airlock.airlock_lock_{lock}")

    def test_a_free_lock_is_taken_once_and_released(self):
        self.prepare(self.orders)
        self.assertEqual(self.holder(), [(1, "nonce-20260102030401_abcdef", "20260102030401_abcdef")])
        self.prepare(self.orders, number=2)
        self.assertEqual(self.holder()[0][1], "nonce-20260102030401_abcdef")
        self.prepare(self.orders, number=1)
        self.finish()
        self.assertEqual(self.holder()[0][1], "")
        self.prepare(self.orders, number=2)
        self.assertEqual(self.holder(), [(2, "nonce-20260102030402_abcdef", "20260102030402_abcdef")])

    def test_a_dead_holder_is_replaced_only_as_it_was_seen(self):
        for published, end in ((False, "aborted"), (True, "finished")):
            with self.subTest(end):
                self.sql("drop schema if exists airlock cascade")
                dead = self.prepare(self.orders).id
                if published:
                    self.run_publish()
                heir = Deployment(self.engine, self.database, self.orders, number=2)
                for fence, nonce in ((7, dead), (1, heir.id)):
                    for call in heir.state(dead, fence)["take"]:
                        self.sql(call)
                    self.assertEqual(self.holder()[0][:2], (1 if nonce == dead else 2, f"nonce-{nonce}"))
                for call in heir.state(dead, 1)["take"]:
                    self.sql(call)
                ends = self.sql(f"select event from airlock.airlock_log where id = '{dead}' "
                                "and event in ('aborted', 'finished')")
                self.assertEqual(ends, [(end,)])

    def test_a_lock_says_who_holds_it_and_whether_that_published(self):
        deployment = self.prepare(self.orders)
        calls = deployment.state("none", 0)
        for published in (False, True):
            lock = json.loads(self.sql(calls["read"][0])[0][0])
            self.assertEqual(lock["rows"], 1)
            self.assertEqual((lock["id"], lock["nonce"]), (deployment.id, f"nonce-{deployment.id}"))
            self.assertEqual((lock["user"], lock["host"], lock["pid"]), ("tester", "here", 7))
            self.assertIs(lock["published"], published)
            self.assertIs(json.loads(self.sql(calls["probe"][0])[0][0])["published"], published)
            if not published:
                self.run_publish()

    def test_a_raised_fence_and_a_release_are_ours_only(self):
        mine = self.prepare(self.orders).state("none", 0)
        other = Deployment(self.engine, self.database, self.orders, number=2).state("none", 0)
        for calls in (other["raise"], other["release"]):
            self.sql(calls[0])
            self.assertEqual(self.holder()[0][:2], (1, "nonce-20260102030401_abcdef"))
        self.sql(mine["raise"][0])
        self.assertEqual(self.holder()[0][:2], (2, "nonce-20260102030401_abcdef"))
        self.sql(mine["release"][0])
        self.assertEqual(self.holder()[0][:2], (2, ""))

    def test_the_history_names_what_was_published(self):
        self.publish(self.orders)
        events = self.sql(f"select id, event, {self.to} from airlock.airlock_log order by logged_at")
        begun = self.sql("select detail from airlock.airlock_log where event = 'begun'")
        self.assertEqual(json.loads(begun[0][0]), {"name": "", "fence": 1})
        self.assertEqual({event[0] for event in events}, {"20260102030401_abcdef"})
        self.assertEqual(
            {event[1]: event[2] for event in events},
            {"begun": None, "published": f"{self.database}.mart.orders", "objects": None, "finished": None},
        )
