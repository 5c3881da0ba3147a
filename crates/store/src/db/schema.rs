// @generated automatically by Diesel CLI.

diesel::table! {
    core_alert (id) {
        id -> Bigint,
        content -> Longtext,
        is_resolved -> Bool,
        created_at -> Datetime,
        app_id -> Bigint,
        rule_id -> Nullable<Bigint>,
        #[max_length = 100]
        rule_name -> Varchar,
        #[max_length = 10]
        severity -> Varchar,
        #[max_length = 10]
        level -> Nullable<Varchar>,
        window_start -> Nullable<Datetime>,
        window_end -> Nullable<Datetime>,
        count -> Nullable<Bigint>,
        threshold -> Nullable<Bigint>,
        first_log_id -> Nullable<Bigint>,
        first_log_at -> Nullable<Datetime>,
        last_log_id -> Nullable<Bigint>,
        last_log_at -> Nullable<Datetime>,
        patterns -> Nullable<Longtext>,
        #[max_length = 2000]
        query -> Nullable<Varchar>,
        is_late -> Bool,
        is_flapping -> Bool,
        last_breach_at -> Nullable<Datetime>,
        acknowledged_at -> Nullable<Datetime>,
        #[max_length = 100]
        acknowledged_by -> Nullable<Varchar>,
        resolved_at -> Nullable<Datetime>,
        #[max_length = 100]
        resolved_by -> Nullable<Varchar>,
        #[max_length = 100]
        assigned_to -> Nullable<Varchar>,
        #[max_length = 1000]
        note -> Nullable<Varchar>,
        silenced_by -> Nullable<Bigint>,
        #[max_length = 10]
        told -> Varchar,
    }
}

diesel::table! {
    core_alertevent (id) {
        id -> Bigint,
        #[max_length = 36]
        event_id -> Char,
        alert_id -> Bigint,
        #[max_length = 20]
        kind -> Varchar,
        at -> Datetime,
        #[max_length = 100]
        actor -> Nullable<Varchar>,
        #[max_length = 1000]
        note -> Nullable<Varchar>,
        #[max_length = 36]
        batch -> Nullable<Char>,
        silence_id -> Nullable<Bigint>,
    }
}

diesel::table! {
    core_app (id) {
        id -> Bigint,
        #[max_length = 100]
        name -> Varchar,
        #[max_length = 100]
        owner -> Varchar,
        created_at -> Datetime,
    }
}

diesel::table! {
    core_channel (id) {
        id -> Bigint,
        #[max_length = 20]
        kind -> Varchar,
        #[max_length = 100]
        name -> Varchar,
        config -> Longtext,
        sealed -> Nullable<Blob>,
        is_enabled -> Bool,
        rate_limit -> Nullable<Integer>,
        group_wait -> Nullable<Integer>,
        #[max_length = 50]
        quiet_hours -> Nullable<Varchar>,
        repeat_after -> Nullable<Integer>,
        template -> Nullable<Mediumtext>,
        created_at -> Datetime,
        #[max_length = 36]
        claimed_by -> Nullable<Varchar>,
        claimed_until -> Nullable<Datetime>,
    }
}

diesel::table! {
    core_delivery (id) {
        id -> Bigint,
        #[max_length = 36]
        event_id -> Char,
        channel_id -> Bigint,
        #[max_length = 10]
        state -> Varchar,
        attempts -> Integer,
        next_at -> Datetime,
        digest_id -> Nullable<Bigint>,
        created_at -> Datetime,
        finished_at -> Nullable<Datetime>,
    }
}

diesel::table! {
    core_deliveryattempt (id) {
        id -> Bigint,
        delivery_id -> Bigint,
        channel_id -> Bigint,
        created_at -> Datetime,
        #[max_length = 10]
        outcome -> Varchar,
        status -> Nullable<Smallint>,
        duration_ms -> Integer,
        answer -> Text,
    }
}

diesel::table! {
    core_evaluatedhour (hour, app_id, level) {
        hour -> Datetime,
        app_id -> Bigint,
        #[max_length = 10]
        level -> Varchar,
        count -> Bigint,
    }
}

diesel::table! {
    core_evaluatedupto (id) {
        id -> Integer,
        moment -> Datetime,
    }
}

diesel::table! {
    core_evaluation (rule_id, window_end, app_id) {
        rule_id -> Bigint,
        window_end -> Datetime,
        app_id -> Bigint,
        window_start -> Datetime,
        count -> Bigint,
        threshold -> Bigint,
        #[max_length = 10]
        outcome -> Varchar,
        is_late -> Bool,
        evaluated_at -> Datetime,
        duration_us -> Bigint,
        #[max_length = 100]
        worker -> Varchar,
    }
}

diesel::table! {
    core_ingestkey (idempotency_key) {
        #[max_length = 255]
        idempotency_key -> Varbinary,
        #[max_length = 32]
        body_hash -> Varbinary,
        status -> Smallint,
        answer -> Longtext,
        created_at -> Datetime,
        #[max_length = 6]
        origin -> Varchar,
    }
}

diesel::table! {
    core_log (id) {
        id -> Bigint,
        #[max_length = 10]
        level -> Varchar,
        message -> Longtext,
        created_at -> Datetime,
        app_id -> Bigint,
        attributes -> Nullable<Longtext>,
        #[max_length = 64]
        trace_id -> Nullable<Varchar>,
        #[max_length = 64]
        span_id -> Nullable<Varchar>,
        received_at -> Nullable<Datetime>,
        timestamp_clamped -> Bool,
    }
}

diesel::table! {
    core_logcount (app_id, level, minute) {
        app_id -> Bigint,
        #[max_length = 10]
        level -> Varchar,
        minute -> Datetime,
        count -> Bigint,
    }
}

diesel::table! {
    core_logdrop (until) {
        until -> Date,
    }
}

diesel::table! {
    core_logevent (app_id, event_id) {
        app_id -> Bigint,
        #[max_length = 1020]
        event_id -> Varbinary,
        log_id -> Bigint,
        created_at -> Datetime,
    }
}

diesel::table! {
    core_loghourcount (hour, level, app_id) {
        hour -> Datetime,
        app_id -> Bigint,
        #[max_length = 10]
        level -> Varchar,
        count -> Bigint,
    }
}

diesel::table! {
    core_logsummary (id) {
        id -> Bigint,
        info_count -> Integer,
        warn_count -> Integer,
        error_count -> Integer,
        date -> Date,
        app_id -> Bigint,
    }
}

diesel::table! {
    core_notification (event_id) {
        #[max_length = 36]
        event_id -> Char,
        #[max_length = 30]
        event -> Varchar,
        alert_id -> Nullable<Bigint>,
        payload -> Longtext,
        created_at -> Datetime,
    }
}

diesel::table! {
    core_report (id) {
        id -> Bigint,
        date -> Date,
        subscriber_id -> Bigint,
        revision -> Integer,
        #[max_length = 36]
        event_id -> Char,
        summary_ids -> Bigint,
        content -> Longtext,
        created_at -> Datetime,
    }
}

diesel::table! {
    core_rule (id) {
        id -> Bigint,
        #[max_length = 100]
        name -> Varchar,
        app_id -> Nullable<Bigint>,
        #[max_length = 10]
        kind -> Varchar,
        #[max_length = 10]
        level -> Nullable<Varchar>,
        #[max_length = 256]
        text -> Nullable<Varchar>,
        threshold -> Bigint,
        factor_hundredths -> Nullable<Integer>,
        window_seconds -> Integer,
        every_seconds -> Integer,
        #[max_length = 10]
        severity -> Varchar,
        resolve_after -> Integer,
        is_enabled -> Bool,
        created_at -> Datetime,
        updated_at -> Datetime,
        evaluated_until -> Nullable<Datetime>,
        flapping_after -> Integer,
    }
}

diesel::table! {
    core_rulechannel (rule_id, channel_id) {
        rule_id -> Bigint,
        channel_id -> Bigint,
    }
}

diesel::table! {
    core_schedule (entry) {
        #[max_length = 100]
        entry -> Varchar,
        #[max_length = 200]
        schedule -> Varchar,
        #[max_length = 64]
        zone -> Varchar,
        handled_until -> Datetime,
        seen_at -> Datetime,
    }
}

diesel::table! {
    core_scheduleslot (entry, slot) {
        #[max_length = 100]
        entry -> Varchar,
        slot -> Datetime,
        #[max_length = 10]
        state -> Varchar,
        #[max_length = 255]
        beat -> Varchar,
        claimed_at -> Datetime,
        pushed_at -> Nullable<Datetime>,
    }
}

diesel::table! {
    core_silence (id) {
        id -> Bigint,
        app_id -> Nullable<Bigint>,
        rule_id -> Nullable<Bigint>,
        starts_at -> Datetime,
        ends_at -> Nullable<Datetime>,
        #[max_length = 200]
        recurring -> Nullable<Varchar>,
        over_at -> Nullable<Datetime>,
        #[max_length = 100]
        created_by -> Varchar,
        #[max_length = 1000]
        comment -> Varchar,
        created_at -> Datetime,
        updated_at -> Nullable<Datetime>,
        #[max_length = 100]
        updated_by -> Nullable<Varchar>,
    }
}

diesel::table! {
    core_subscriber (id) {
        id -> Bigint,
        #[max_length = 100]
        name -> Varchar,
        #[max_length = 100]
        owner -> Nullable<Varchar>,
        is_enabled -> Bool,
        #[max_length = 10]
        language -> Nullable<Varchar>,
        created_at -> Datetime,
    }
}

diesel::table! {
    core_subscriberchannel (subscriber_id, channel_id) {
        subscriber_id -> Bigint,
        channel_id -> Bigint,
    }
}

diesel::joinable!(core_alert -> core_app (app_id));
diesel::joinable!(core_alertevent -> core_alert (alert_id));
diesel::joinable!(core_delivery -> core_channel (channel_id));
diesel::joinable!(core_delivery -> core_notification (event_id));
diesel::joinable!(core_deliveryattempt -> core_delivery (delivery_id));
diesel::joinable!(core_logcount -> core_app (app_id));
diesel::joinable!(core_loghourcount -> core_app (app_id));
diesel::joinable!(core_logsummary -> core_app (app_id));
diesel::joinable!(core_report -> core_subscriber (subscriber_id));
diesel::joinable!(core_rule -> core_app (app_id));
diesel::joinable!(core_rulechannel -> core_rule (rule_id));
diesel::joinable!(core_silence -> core_app (app_id));
diesel::joinable!(core_subscriberchannel -> core_subscriber (subscriber_id));

diesel::allow_tables_to_appear_in_same_query!(
    core_alert,
    core_alertevent,
    core_app,
    core_channel,
    core_delivery,
    core_deliveryattempt,
    core_evaluatedhour,
    core_evaluatedupto,
    core_evaluation,
    core_ingestkey,
    core_log,
    core_logcount,
    core_logdrop,
    core_logevent,
    core_loghourcount,
    core_logsummary,
    core_notification,
    core_report,
    core_rule,
    core_rulechannel,
    core_schedule,
    core_scheduleslot,
    core_silence,
    core_subscriber,
    core_subscriberchannel,
);
