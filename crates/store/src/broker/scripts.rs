//! The Lua scripts: each is headed by its KEYS, ARGV and what it returns.

use std::sync::LazyLock;

use redis::Script;

macro_rules! scripts {
    ($($(#[$doc:meta])* $name:ident = $file:literal;)*) => {$(
        $(#[$doc])*
        pub(super) static $name: LazyLock<Script> = LazyLock::new(|| {
            Script::new(concat!(include_str!("scripts/common.lua"), "\n", include_str!(concat!("scripts/", $file))))
        });
    )*};
}

scripts! {
    FETCH = "fetch.lua";
    FINISH = "finish.lua";
    COUNT = "count.lua";
    STORE = "store.lua";
    REVOKE = "revoke.lua";
    DELAY = "delay.lua";
    PROMOTE = "promote.lua";
    RESTORE = "restore.lua";
    RECOVER = "recover.lua";
    SUSPECT = "suspect.lua";
    BURY = "bury.lua";
    REQUEUE_DEAD = "requeue_dead.lua";
    DROP_DEAD = "drop_dead.lua";
    TRIM_DEAD = "trim_dead.lua";
    RENEW = "renew.lua";
    SHOW = "show.lua";
    ENQUEUE_ONCE = "enqueue_once.lua";
    ENQUEUE_BATCH = "enqueue_batch.lua";
    REPLY = "reply.lua";
    HEADS = "heads.lua";
    CLAIM = "claim.lua";
    DECLARE = "declare.lua";
}
