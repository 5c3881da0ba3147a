//! The messages of the logs, and the needles that a search is to find among them.

use std::fmt::Write as _;

use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};

/// How many characters a message has.
const LENGTH: std::ops::RangeInclusive<usize> = 40..=400;

/// A text that stands in some logs of each day and nowhere else.
pub(crate) struct Needle {
    /// What the results call it.
    pub(crate) name: &'static str,
    /// What is searched for.
    pub(crate) q: &'static str,
    /// The message's own words around it.
    message: &'static str,
    /// The app that logs it.
    pub(crate) app: usize,
    /// In how many logs a day.
    pub(crate) a_day: usize,
}

/// All of them. No word of theirs is among [`WORDS`].
pub(crate) const NEEDLES: [Needle; 5] = [
    Needle {
        name: "word",
        q: "quicksilver",
        message: "the quicksilver relay opened by itself and had to be closed by hand",
        app: 1,
        a_day: 5,
    },
    Needle {
        name: "word, small app",
        q: "heliotrope",
        message: "lamp heliotrope burns although nobody has lit it since the move",
        app: 6,
        a_day: 3,
    },
    Needle {
        name: "phrase",
        q: "\"flux capacitor\"",
        message: "overheating: flux capacitor at 88 degrees, throttled down to a tenth",
        app: 1,
        a_day: 4,
    },
    Needle {
        name: "Chinese",
        q: "磁盘阵列掉线",
        message: "存储节点报告磁盘阵列掉线，已切换到备用控制器，请值班同事尽快到机房检查电源与线缆并回复处理结果",
        app: 2,
        a_day: 3,
    },
    Needle {
        name: "signs",
        q: "50%_off",
        message: "voucher code 50%_off was refused, it has been used 10,000 times already",
        app: 3,
        a_day: 2,
    },
];

const SENTENCES: [&str; 16] = [
    "request completed",
    "payment gateway timed out while charging order",
    "cache miss, the value is read from the database",
    "retrying after a failed attempt",
    "connection pool is nearly used up",
    "user signed in",
    "session expired",
    "stock of an item is below its threshold",
    "scheduled report was sent",
    "slow query",
    "queue consumer is lagging behind",
    "webhook was delivered",
    "rate limit reached for client",
    "certificate expires soon",
    "file upload finished",
    "configuration was reloaded",
];
const CHINESE: [&str; 10] = [
    "支付网关超时，订单将在稍后重试",
    "用户登录成功，来源为移动端",
    "数据库连接池即将耗尽，请检查慢查询",
    "库存不足，无法完成下单操作",
    "定时任务执行完毕，共处理记录若干条",
    "消息队列积压，消费速度低于生产速度",
    "缓存未命中，已回源读取数据",
    "短信验证码发送失败，运营商返回错误",
    "配置已重新加载，新的限流规则生效",
    "文件上传完成，等待病毒扫描",
];
const WORDS: [&str; 48] = [
    "order",
    "customer",
    "invoice",
    "shard",
    "replica",
    "region",
    "worker",
    "batch",
    "tenant",
    "bucket",
    "token",
    "charge",
    "refund",
    "basket",
    "courier",
    "parcel",
    "warehouse",
    "ledger",
    "balance",
    "currency",
    "upstream",
    "downstream",
    "proxy",
    "handshake",
    "latency",
    "budget",
    "deadline",
    "attempt",
    "backoff",
    "snapshot",
    "index",
    "segment",
    "partition",
    "offset",
    "consumer",
    "producer",
    "topic",
    "leader",
    "follower",
    "election",
    "heartbeat",
    "lease",
    "quota",
    "billing",
    "checkout",
    "search",
    "catalog",
    "profile",
];
const EXCEPTIONS: [&str; 5] = [
    "java.net.SocketTimeoutException: Read timed out",
    "java.lang.NullPointerException: order is null",
    "org.hibernate.StaleObjectStateException: Row was updated by another transaction",
    "java.util.concurrent.RejectedExecutionException: queue is full",
    "java.sql.SQLTransientConnectionException: no connection",
];
const FRAMES: [&str; 8] = [
    "com.shop.order.OrderService.charge(OrderService.java:",
    "com.shop.order.OrderController.submit(OrderController.java:",
    "com.shop.stock.StockClient.reserve(StockClient.java:",
    "com.shop.common.RetryTemplate.run(RetryTemplate.java:",
    "org.springframework.web.servlet.DispatcherServlet.doDispatch(DispatcherServlet.java:",
    "java.base/java.lang.Thread.run(Thread.java:",
    "io.netty.channel.nio.NioEventLoop.run(NioEventLoop.java:",
    "com.zaxxer.hikari.pool.HikariPool.getConnection(HikariPool.java:",
];

/// What a message is like.
#[derive(Clone, Copy)]
pub(crate) enum Style {
    /// A sentence and some `key=value`.
    Line,
    /// An exception and the frames below it, a line each.
    StackTrace,
}

/// Makes messages; the same seed makes the same ones.
pub(crate) struct Messages {
    random: StdRng,
}

impl Messages {
    pub(crate) fn new(seed: u64) -> Self {
        Self { random: StdRng::seed_from_u64(seed) }
    }

    /// A number from 0 to below 1.
    pub(crate) fn fraction(&mut self) -> f64 {
        self.random.random()
    }

    /// One of these.
    fn one_of(&mut self, choices: &[&'static str]) -> &'static str {
        choices[self.random.random_range(0..choices.len())]
    }

    /// Writes a message of a style over what was in `message`.
    pub(crate) fn write(&mut self, style: Style, message: &mut String) {
        message.clear();
        let most = self.length();
        match style {
            Style::Line => self.line(most, message),
            Style::StackTrace => self.stack_trace(most.max(160), message),
        }
        if let Some((end, _)) = message.char_indices().nth(*LENGTH.end()) {
            message.truncate(end);
        }
    }

    /// Writes the message of a needle over what was in `message`.
    pub(crate) fn write_needle(&mut self, needle: &Needle, message: &mut String) {
        message.clear();
        message.push_str(needle.message);
        self.pairs(LENGTH.start() + 40, message);
    }

    /// Most messages are short.
    fn length(&mut self) -> usize {
        let (least, most) = (*LENGTH.start(), *LENGTH.end());
        let share = self.random.random_range(0..=1_000_usize);
        least + (most - least) * share * share / 1_000_000
    }

    fn line(&mut self, length: usize, message: &mut String) {
        let sentence = if self.random.random_ratio(1, 12) { self.one_of(&CHINESE) } else { self.one_of(&SENTENCES) };
        message.push_str(sentence);
        self.pairs(length, message);
    }

    fn stack_trace(&mut self, length: usize, message: &mut String) {
        message.push_str(self.one_of(&EXCEPTIONS));
        while message.len() < length {
            let (frame, line) = (self.one_of(&FRAMES), self.random.random_range(10..900));
            _ = write!(message, "\n    at {frame}{line})");
        }
    }

    /// Adds `key=value` until the message has so many characters.
    fn pairs(&mut self, length: usize, message: &mut String) {
        let mut missing = length.saturating_sub(message.chars().count());
        while missing > 0 {
            let (key, before) = (self.one_of(&WORDS), message.len());
            if self.random.random() {
                _ = write!(message, " {key}={:x}", self.random.random::<u64>());
            } else {
                _ = write!(message, " {key}={}", self.one_of(&WORDS));
            }
            missing = missing.saturating_sub(message.len() - before);
        }
    }
}
