-- The schema at the last version, dumped from PostgreSQL. `make schema` writes this file; nothing runs it.

--
-- Name: coinrequest_bound_numbers(); Type: FUNCTION; Schema: public; Owner: -
--

CREATE FUNCTION public.coinrequest_bound_numbers() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'public', 'pg_temp'
    AS $_$
BEGIN
    IF pg_catalog.jsonb_path_exists(
        NEW.conf, '$.** ? (@.type() == "number" && (@ > 9223372036854775807 || @ < -9223372036854775808))'
    ) AND EXISTS (SELECT FROM public.dag AS d WHERE d.dag_id = NEW.dag_id AND d.bundle_name = 'job_types') THEN
        RAISE EXCEPTION 'params of % have a number of more than 64 bits; write it as {"$number": "1e22"}', NEW.dag_id
            USING ERRCODE = 'numeric_value_out_of_range';
    END IF;
    RETURN NEW;
END
$_$;


--
-- Name: coinrequest_bound_params(); Type: FUNCTION; Schema: public; Owner: -
--

CREATE FUNCTION public.coinrequest_bound_params() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'public', 'pg_temp'
    AS $$
BEGIN
    IF EXISTS (SELECT FROM public.dag AS d WHERE d.dag_id = NEW.dag_id AND d.bundle_name = 'job_types') THEN
        RAISE EXCEPTION 'params of % are % bytes long; the limit is 64 KiB',
            NEW.dag_id, pg_catalog.octet_length(NEW.conf::text)
            USING ERRCODE = 'string_data_right_truncation';
    END IF;
    RETURN NEW;
END
$$;


--
-- Name: coinrequest_bound_times(); Type: FUNCTION; Schema: public; Owner: -
--

CREATE FUNCTION public.coinrequest_bound_times() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'public', 'pg_temp'
    AS $$
BEGIN
    RAISE EXCEPTION 'the times of a run or backfill of % must be between the years 1900 and 9000', NEW.dag_id
        USING ERRCODE = 'datetime_field_overflow';
END
$$;


--
-- Name: coinrequest_clean(interval, integer); Type: FUNCTION; Schema: public; Owner: -
--

CREATE FUNCTION public.coinrequest_clean(keep interval, batch integer) RETURNS bigint
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'public', 'pg_temp'
    AS $$
DECLARE
    limit_time timestamptz := pg_catalog.now() - greatest(keep, interval '1 day');
    gone uuid[];
    removed bigint;
BEGIN
    SELECT pg_catalog.array_agg(old.id) INTO gone FROM (
        SELECT j.id FROM public.coinrequest_job AS j
        WHERE j.submitted_at < limit_time AND j.ended_at < limit_time
            AND j.state IN ('success', 'failed', 'cancelled', 'removed')
            AND NOT EXISTS (SELECT FROM public.coinrequest_completion AS c WHERE c.job_id = j.id)
            AND NOT EXISTS (SELECT FROM public.coinrequest_notice AS n WHERE n.job_id = j.id AND n.state = 'pending')
        ORDER BY j.submitted_at LIMIT least(batch, 10000)
        FOR UPDATE SKIP LOCKED
    ) AS old;
    removed := coalesce(pg_catalog.array_length(gone, 1), 0);
    IF removed > 0 THEN
        DELETE FROM public.coinrequest_notice WHERE job_id = ANY(gone);
        DELETE FROM public.dag_run AS r USING public.coinrequest_job AS j
            WHERE j.id = ANY(gone) AND r.dag_id = j.job_type AND r.run_id = j.run_id;
        DELETE FROM public.coinrequest_job WHERE id = ANY(gone);
    END IF;
    DELETE FROM public.coinrequest_submission_key WHERE expires_at < pg_catalog.now();
    DELETE FROM public.coinrequest_gateway WHERE seen_at < pg_catalog.now() - interval '1 day';
    RETURN removed;
END
$$;


--
-- Name: coinrequest_follow_run(); Type: FUNCTION; Schema: public; Owner: -
--

CREATE FUNCTION public.coinrequest_follow_run() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'public', 'pg_temp'
    AS $$
BEGIN
    IF TG_OP = 'DELETE' THEN
        PERFORM public.coinrequest_record_run(OLD.dag_id, OLD.run_id);
    ELSE
        PERFORM public.coinrequest_record_run(NEW.dag_id, NEW.run_id);
    END IF;
    RETURN NULL;
EXCEPTION WHEN OTHERS THEN
    RAISE WARNING 'coinrequest: a run of % is not followed; the sweep will find it: %',
        coalesce(NEW.dag_id, OLD.dag_id), SQLERRM;
    RETURN NULL;
END
$$;


--
-- Name: coinrequest_label_job(); Type: FUNCTION; Schema: public; Owner: -
--

CREATE FUNCTION public.coinrequest_label_job() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'public', 'pg_temp'
    AS $$
DECLARE
    given jsonb;
BEGIN
    SELECT v.document::jsonb -> 'labels' INTO given FROM public.coinrequest_revision AS v
        WHERE v.number = NEW.revision AND v.name = NEW.job_type AND v.document LIKE '%"labels"%';
    IF pg_catalog.jsonb_typeof(given) = 'object' THEN
        NEW.labels := given || NEW.labels;
    END IF;
    RETURN NEW;
EXCEPTION WHEN OTHERS THEN
    RAISE WARNING 'coinrequest: a job of % has no labels: %', NEW.job_type, SQLERRM;
    RETURN NEW;
END
$$;


--
-- Name: coinrequest_note_resumption(); Type: FUNCTION; Schema: public; Owner: -
--

CREATE FUNCTION public.coinrequest_note_resumption() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'public', 'pg_temp'
    AS $$
BEGIN
    INSERT INTO public.coinrequest_schedule (name, resumed_at) VALUES (NEW.dag_id, pg_catalog.clock_timestamp())
    ON CONFLICT (name) DO UPDATE SET resumed_at = excluded.resumed_at;
    RETURN NULL;
END
$$;


--
-- Name: coinrequest_record_run(text, text); Type: FUNCTION; Schema: public; Owner: -
--

CREATE FUNCTION public.coinrequest_record_run(dag text, run text) RETURNS boolean
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'public', 'pg_temp'
    AS $$
DECLARE
    now_there record;
    known public.coinrequest_job%ROWTYPE;
    new_state text;
BEGIN
    SELECT r.state, r.run_after, r.queued_at, r.start_date, r.end_date, r.run_type, r.triggered_by,
           r.triggering_user_name, r.bundle_version
        INTO now_there FROM public.dag_run AS r WHERE r.dag_id = dag AND r.run_id = run;
    SELECT * INTO known FROM public.coinrequest_job AS j WHERE j.job_type = dag AND j.run_id = run FOR UPDATE;
    IF known.id IS NULL THEN
        IF now_there.state IS NULL
            OR NOT EXISTS (SELECT FROM public.dag AS d WHERE d.dag_id = dag AND d.bundle_name = 'job_types') THEN
            RETURN false;
        END IF;
        known.id := pg_catalog.gen_random_uuid();
        INSERT INTO public.coinrequest_job
            (id, job_type, run_id, revision, submitted_by, submitted_at, origin, state, run_after)
        VALUES (
            known.id, dag, run,
            coalesce(
                (SELECT pg_catalog.max(v.number) FROM public.coinrequest_revision AS v
                    -- The ten last digits of a version of the bundle are the number of a revision.
                    WHERE v.name = dag
                        AND v.number <= coalesce(now_there.bundle_version::bigint % 10000000000, v.number)),
                0),
            coalesce(now_there.triggering_user_name, 'airflow'),
            coalesce(now_there.queued_at, pg_catalog.now()),
            CASE WHEN now_there.run_type = 'scheduled' THEN 'schedule'
                 WHEN now_there.run_type IN ('asset_triggered', 'asset_materialization') THEN 'after'
                 WHEN now_there.run_type = 'backfill' THEN 'backfill'
                 ELSE 'airflow' END,
            'queued',
            now_there.run_after
        );
        known.state := 'queued';
        -- Whoever waits for new jobs hears of it, though the state is not a change.
        PERFORM pg_catalog.pg_notify('coinrequest_job', known.id::text || ' queued');
    END IF;
    new_state := CASE WHEN now_there.state IS NULL THEN 'removed'
                      WHEN now_there.state = 'failed' AND known.cancelled_at IS NOT NULL THEN 'cancelled'
                      ELSE now_there.state END;
    IF known.state = new_state THEN
        RETURN false;
    END IF;
    UPDATE public.coinrequest_job AS j SET
        state = new_state,
        run_after = coalesce(now_there.run_after, j.run_after),
        started_at = CASE WHEN new_state = 'removed' THEN j.started_at ELSE now_there.start_date END,
        ended_at = CASE WHEN new_state = 'removed' THEN coalesce(j.ended_at, pg_catalog.now())
                        ELSE now_there.end_date END
        WHERE j.id = known.id;
    IF new_state IN ('success', 'failed', 'cancelled') THEN
        INSERT INTO public.coinrequest_completion (job_id, state, ended_at)
        VALUES (known.id, new_state, coalesce(now_there.end_date, pg_catalog.now()));
    END IF;
    PERFORM pg_catalog.pg_notify('coinrequest_job', known.id::text || ' ' || new_state);
    RETURN true;
END
$$;


--
-- Name: coinrequest_renew_installation(); Type: FUNCTION; Schema: public; Owner: -
--

CREATE FUNCTION public.coinrequest_renew_installation() RETURNS integer
    LANGUAGE sql
    SET search_path TO 'pg_catalog', 'public', 'pg_temp'
    AS $$
    INSERT INTO public.coinrequest_installation (one, id)
    VALUES (true, 100000000 + pg_catalog.floor(pg_catalog.random() * 822337203)::integer)
    ON CONFLICT (one) DO UPDATE SET id = excluded.id, made_at = pg_catalog.now()
    RETURNING id
$$;


--
-- Name: coinrequest_revision_in_order(); Type: FUNCTION; Schema: public; Owner: -
--

CREATE FUNCTION public.coinrequest_revision_in_order() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'public', 'pg_temp'
    AS $$
BEGIN
    PERFORM FROM public.coinrequest_installation FOR UPDATE;
    RETURN NULL;
END
$$;


--
-- Name: coinrequest_revision_is_append_only(); Type: FUNCTION; Schema: public; Owner: -
--

CREATE FUNCTION public.coinrequest_revision_is_append_only() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'public', 'pg_temp'
    AS $$
BEGIN
    RAISE EXCEPTION 'coinrequest_revision is append-only: write a new revision instead';
END
$$;


SET default_tablespace = '';

SET default_table_access_method = heap;

--
-- Name: alembic_version_coinrequest; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.alembic_version_coinrequest (
    version_num character varying(32) NOT NULL
);


--
-- Name: coinrequest_completion; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.coinrequest_completion (
    number bigint NOT NULL,
    job_id uuid NOT NULL,
    state character varying(16) NOT NULL,
    ended_at timestamp with time zone NOT NULL
);


--
-- Name: coinrequest_completion_number_seq; Type: SEQUENCE; Schema: public; Owner: -
--

ALTER TABLE public.coinrequest_completion ALTER COLUMN number ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.coinrequest_completion_number_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);


--
-- Name: coinrequest_gateway; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.coinrequest_gateway (
    name character varying(256) NOT NULL,
    started_at timestamp with time zone NOT NULL,
    seen_at timestamp with time zone NOT NULL,
    channel character varying(16) NOT NULL,
    detail text,
    waiting integer,
    waiting_since timestamp with time zone
);


--
-- Name: coinrequest_installation; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.coinrequest_installation (
    one boolean NOT NULL,
    id integer NOT NULL,
    made_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT coinrequest_installation_is_one CHECK (one)
);


--
-- Name: coinrequest_job; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.coinrequest_job (
    id uuid NOT NULL,
    job_type character varying(100) NOT NULL,
    run_id character varying(250) NOT NULL,
    revision bigint NOT NULL,
    submitted_by character varying(256) NOT NULL,
    submitted_at timestamp with time zone NOT NULL,
    origin character varying(16) DEFAULT 'rest'::character varying NOT NULL,
    state character varying(16) DEFAULT 'queued'::character varying NOT NULL,
    run_after timestamp with time zone,
    started_at timestamp with time zone,
    ended_at timestamp with time zone,
    priority integer,
    labels jsonb DEFAULT '{}'::jsonb NOT NULL,
    callback jsonb,
    callback_secret text,
    cancelled_by character varying(256),
    cancelled_at timestamp with time zone,
    cancel_reason text
);


--
-- Name: coinrequest_notice; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.coinrequest_notice (
    id uuid NOT NULL,
    job_id uuid NOT NULL,
    kind character varying(16) NOT NULL,
    destination text NOT NULL,
    secret_connection character varying(200),
    secret text,
    body text NOT NULL,
    state character varying(16) DEFAULT 'pending'::character varying NOT NULL,
    attempts integer DEFAULT 0 NOT NULL,
    created_at timestamp with time zone NOT NULL,
    next_attempt_at timestamp with time zone NOT NULL,
    give_up_at timestamp with time zone NOT NULL,
    ended_at timestamp with time zone
);


--
-- Name: coinrequest_notice_attempt; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.coinrequest_notice_attempt (
    id bigint NOT NULL,
    notice_id uuid NOT NULL,
    number integer NOT NULL,
    started_at timestamp with time zone NOT NULL,
    seconds double precision NOT NULL,
    status integer,
    error text,
    response text
);


--
-- Name: coinrequest_notice_attempt_id_seq; Type: SEQUENCE; Schema: public; Owner: -
--

ALTER TABLE public.coinrequest_notice_attempt ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.coinrequest_notice_attempt_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);


--
-- Name: coinrequest_revision; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.coinrequest_revision (
    number bigint NOT NULL,
    name character varying(100) NOT NULL,
    change character varying(16) NOT NULL,
    document text,
    announces boolean DEFAULT false NOT NULL,
    author character varying(256) NOT NULL,
    created_at timestamp with time zone NOT NULL,
    text text
);


--
-- Name: coinrequest_revision_number_seq; Type: SEQUENCE; Schema: public; Owner: -
--

ALTER TABLE public.coinrequest_revision ALTER COLUMN number ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.coinrequest_revision_number_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);


--
-- Name: coinrequest_schedule; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.coinrequest_schedule (
    name character varying(100) NOT NULL,
    starts_at timestamp with time zone,
    resumed_at timestamp with time zone,
    waits boolean DEFAULT false NOT NULL,
    last_dropped_at timestamp with time zone,
    last_dropped_reason character varying(16)
);


--
-- Name: coinrequest_sign_in; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.coinrequest_sign_in (
    key character varying(64) NOT NULL,
    failures integer NOT NULL,
    last_at timestamp with time zone NOT NULL,
    retry_at timestamp with time zone NOT NULL,
    trusted boolean DEFAULT false NOT NULL,
    expires_at timestamp with time zone NOT NULL
);


--
-- Name: coinrequest_submission_key; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.coinrequest_submission_key (
    submitted_by character varying(256) NOT NULL,
    key character varying(255) NOT NULL,
    digest character varying(64) NOT NULL,
    job_id uuid NOT NULL,
    free_on_failure boolean NOT NULL,
    expires_at timestamp with time zone NOT NULL
);


--
-- Name: coinrequest_tally; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.coinrequest_tally (
    job_type character varying(100) NOT NULL,
    measure character varying(32) NOT NULL,
    label character varying(32) NOT NULL,
    value double precision NOT NULL
);


--
-- Name: alembic_version_coinrequest alembic_version_coinrequest_pkc; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.alembic_version_coinrequest
    ADD CONSTRAINT alembic_version_coinrequest_pkc PRIMARY KEY (version_num);


--
-- Name: coinrequest_completion coinrequest_completion_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.coinrequest_completion
    ADD CONSTRAINT coinrequest_completion_pkey PRIMARY KEY (number);


--
-- Name: coinrequest_gateway coinrequest_gateway_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.coinrequest_gateway
    ADD CONSTRAINT coinrequest_gateway_pkey PRIMARY KEY (name);


--
-- Name: coinrequest_installation coinrequest_installation_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.coinrequest_installation
    ADD CONSTRAINT coinrequest_installation_pkey PRIMARY KEY (one);


--
-- Name: coinrequest_job coinrequest_job_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.coinrequest_job
    ADD CONSTRAINT coinrequest_job_pkey PRIMARY KEY (id);


--
-- Name: coinrequest_job coinrequest_job_run; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.coinrequest_job
    ADD CONSTRAINT coinrequest_job_run UNIQUE (job_type, run_id);


--
-- Name: coinrequest_notice_attempt coinrequest_notice_attempt_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.coinrequest_notice_attempt
    ADD CONSTRAINT coinrequest_notice_attempt_pkey PRIMARY KEY (id);


--
-- Name: coinrequest_notice coinrequest_notice_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.coinrequest_notice
    ADD CONSTRAINT coinrequest_notice_pkey PRIMARY KEY (id);


--
-- Name: coinrequest_revision coinrequest_revision_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.coinrequest_revision
    ADD CONSTRAINT coinrequest_revision_pkey PRIMARY KEY (number);


--
-- Name: coinrequest_schedule coinrequest_schedule_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.coinrequest_schedule
    ADD CONSTRAINT coinrequest_schedule_pkey PRIMARY KEY (name);


--
-- Name: coinrequest_sign_in coinrequest_sign_in_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.coinrequest_sign_in
    ADD CONSTRAINT coinrequest_sign_in_pkey PRIMARY KEY (key);


--
-- Name: coinrequest_submission_key coinrequest_submission_key_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.coinrequest_submission_key
    ADD CONSTRAINT coinrequest_submission_key_pkey PRIMARY KEY (submitted_by, key);


--
-- Name: coinrequest_tally coinrequest_tally_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.coinrequest_tally
    ADD CONSTRAINT coinrequest_tally_pkey PRIMARY KEY (job_type, measure, label);


--
-- Name: coinrequest_job_by_end; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX coinrequest_job_by_end ON public.coinrequest_job USING btree (ended_at, id) WHERE (ended_at IS NOT NULL);


--
-- Name: coinrequest_job_ended; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX coinrequest_job_ended ON public.coinrequest_job USING btree (job_type, ended_at, id) WHERE (ended_at IS NOT NULL);


--
-- Name: coinrequest_job_in_state; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX coinrequest_job_in_state ON public.coinrequest_job USING btree (state, submitted_at, id);


--
-- Name: coinrequest_job_labels; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX coinrequest_job_labels ON public.coinrequest_job USING gin (labels jsonb_path_ops);


--
-- Name: coinrequest_job_newest_first; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX coinrequest_job_newest_first ON public.coinrequest_job USING btree (submitted_at, id);


--
-- Name: coinrequest_job_of_submitter; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX coinrequest_job_of_submitter ON public.coinrequest_job USING btree (submitted_by, submitted_at, id);


--
-- Name: coinrequest_job_of_type; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX coinrequest_job_of_type ON public.coinrequest_job USING btree (job_type, submitted_at, id);


--
-- Name: coinrequest_job_of_type_in_state; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX coinrequest_job_of_type_in_state ON public.coinrequest_job USING btree (job_type, state, submitted_at, id);


--
-- Name: coinrequest_notice_attempt_of_notice; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX coinrequest_notice_attempt_of_notice ON public.coinrequest_notice_attempt USING btree (notice_id, number);


--
-- Name: coinrequest_notice_due; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX coinrequest_notice_due ON public.coinrequest_notice USING btree (next_attempt_at) WHERE ((state)::text = 'pending'::text);


--
-- Name: coinrequest_notice_failed; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX coinrequest_notice_failed ON public.coinrequest_notice USING btree (ended_at) WHERE ((state)::text = 'failed'::text);


--
-- Name: coinrequest_notice_of_job; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX coinrequest_notice_of_job ON public.coinrequest_notice USING btree (job_id);


--
-- Name: coinrequest_revision_by_name; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX coinrequest_revision_by_name ON public.coinrequest_revision USING btree (name, number);


--
-- Name: coinrequest_revision_deleted; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX coinrequest_revision_deleted ON public.coinrequest_revision USING btree (number) WHERE ((change)::text = 'delete'::text);


--
-- Name: coinrequest_sign_in_expiry; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX coinrequest_sign_in_expiry ON public.coinrequest_sign_in USING btree (expires_at);


--
-- Name: coinrequest_submission_key_expiry; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX coinrequest_submission_key_expiry ON public.coinrequest_submission_key USING btree (expires_at);


--
-- Name: backfill coinrequest_bound_backfill_times; Type: TRIGGER; Schema: public; Owner: -
--

CREATE TRIGGER coinrequest_bound_backfill_times BEFORE INSERT OR UPDATE OF from_date, to_date ON public.backfill FOR EACH ROW WHEN ((((new.from_date < '1900-01-01 00:00:00+00'::timestamp with time zone) OR (new.from_date > '9000-01-01 00:00:00+00'::timestamp with time zone)) OR ((new.to_date < '1900-01-01 00:00:00+00'::timestamp with time zone) OR (new.to_date > '9000-01-01 00:00:00+00'::timestamp with time zone)))) EXECUTE FUNCTION public.coinrequest_bound_times();


--
-- Name: dag_run coinrequest_bound_numbers; Type: TRIGGER; Schema: public; Owner: -
--

CREATE TRIGGER coinrequest_bound_numbers BEFORE INSERT OR UPDATE OF conf ON public.dag_run FOR EACH ROW WHEN (((new.conf)::text ~ '[0-9]{19}'::text)) EXECUTE FUNCTION public.coinrequest_bound_numbers();


--
-- Name: dag_run coinrequest_bound_params; Type: TRIGGER; Schema: public; Owner: -
--

CREATE TRIGGER coinrequest_bound_params BEFORE INSERT OR UPDATE OF conf ON public.dag_run FOR EACH ROW WHEN ((octet_length((new.conf)::text) > 524288)) EXECUTE FUNCTION public.coinrequest_bound_params();


--
-- Name: dag_run coinrequest_bound_run_times; Type: TRIGGER; Schema: public; Owner: -
--

CREATE TRIGGER coinrequest_bound_run_times BEFORE INSERT OR UPDATE OF run_after, logical_date, data_interval_start, data_interval_end, partition_date ON public.dag_run FOR EACH ROW WHEN ((((new.run_after < '1900-01-01 00:00:00+00'::timestamp with time zone) OR (new.run_after > '9000-01-01 00:00:00+00'::timestamp with time zone)) OR ((new.logical_date < '1900-01-01 00:00:00+00'::timestamp with time zone) OR (new.logical_date > '9000-01-01 00:00:00+00'::timestamp with time zone)) OR ((new.data_interval_start < '1900-01-01 00:00:00+00'::timestamp with time zone) OR (new.data_interval_start > '9000-01-01 00:00:00+00'::timestamp with time zone)) OR ((new.data_interval_end < '1900-01-01 00:00:00+00'::timestamp with time zone) OR (new.data_interval_end > '9000-01-01 00:00:00+00'::timestamp with time zone)) OR ((new.partition_date < '1900-01-01 00:00:00+00'::timestamp with time zone) OR (new.partition_date > '9000-01-01 00:00:00+00'::timestamp with time zone)))) EXECUTE FUNCTION public.coinrequest_bound_times();


--
-- Name: dag_run coinrequest_follow_new_run; Type: TRIGGER; Schema: public; Owner: -
--

CREATE TRIGGER coinrequest_follow_new_run AFTER INSERT OR DELETE ON public.dag_run FOR EACH ROW EXECUTE FUNCTION public.coinrequest_follow_run();


--
-- Name: dag_run coinrequest_follow_run; Type: TRIGGER; Schema: public; Owner: -
--

CREATE TRIGGER coinrequest_follow_run AFTER UPDATE OF state ON public.dag_run FOR EACH ROW WHEN (((old.state)::text IS DISTINCT FROM (new.state)::text)) EXECUTE FUNCTION public.coinrequest_follow_run();


--
-- Name: coinrequest_job coinrequest_label_job; Type: TRIGGER; Schema: public; Owner: -
--

CREATE TRIGGER coinrequest_label_job BEFORE INSERT ON public.coinrequest_job FOR EACH ROW WHEN (((new.origin)::text <> ALL ((ARRAY['rest'::character varying, 'channel'::character varying])::text[]))) EXECUTE FUNCTION public.coinrequest_label_job();


--
-- Name: dag coinrequest_note_resumption; Type: TRIGGER; Schema: public; Owner: -
--

CREATE TRIGGER coinrequest_note_resumption AFTER UPDATE OF is_paused ON public.dag FOR EACH ROW WHEN ((old.is_paused AND (NOT new.is_paused) AND ((new.bundle_name)::text = 'job_types'::text))) EXECUTE FUNCTION public.coinrequest_note_resumption();


--
-- Name: coinrequest_revision coinrequest_revision_append_only; Type: TRIGGER; Schema: public; Owner: -
--

CREATE TRIGGER coinrequest_revision_append_only BEFORE DELETE OR UPDATE ON public.coinrequest_revision FOR EACH ROW EXECUTE FUNCTION public.coinrequest_revision_is_append_only();


--
-- Name: coinrequest_revision coinrequest_revision_in_order; Type: TRIGGER; Schema: public; Owner: -
--

CREATE TRIGGER coinrequest_revision_in_order BEFORE INSERT ON public.coinrequest_revision FOR EACH STATEMENT EXECUTE FUNCTION public.coinrequest_revision_in_order();


--
-- Name: coinrequest_notice_attempt coinrequest_notice_attempt_notice_id_fkey; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.coinrequest_notice_attempt
    ADD CONSTRAINT coinrequest_notice_attempt_notice_id_fkey FOREIGN KEY (notice_id) REFERENCES public.coinrequest_notice(id) ON DELETE CASCADE;


--
-- Name: FUNCTION coinrequest_bound_numbers(); Type: ACL; Schema: public; Owner: -
--

REVOKE ALL ON FUNCTION public.coinrequest_bound_numbers() FROM PUBLIC;


--
-- Name: FUNCTION coinrequest_bound_params(); Type: ACL; Schema: public; Owner: -
--

REVOKE ALL ON FUNCTION public.coinrequest_bound_params() FROM PUBLIC;


--
-- Name: FUNCTION coinrequest_bound_times(); Type: ACL; Schema: public; Owner: -
--

REVOKE ALL ON FUNCTION public.coinrequest_bound_times() FROM PUBLIC;


--
-- Name: FUNCTION coinrequest_clean(keep interval, batch integer); Type: ACL; Schema: public; Owner: -
--

REVOKE ALL ON FUNCTION public.coinrequest_clean(keep interval, batch integer) FROM PUBLIC;
GRANT ALL ON FUNCTION public.coinrequest_clean(keep interval, batch integer) TO coinrequest_reader;


--
-- Name: FUNCTION coinrequest_follow_run(); Type: ACL; Schema: public; Owner: -
--

REVOKE ALL ON FUNCTION public.coinrequest_follow_run() FROM PUBLIC;


--
-- Name: FUNCTION coinrequest_label_job(); Type: ACL; Schema: public; Owner: -
--

REVOKE ALL ON FUNCTION public.coinrequest_label_job() FROM PUBLIC;


--
-- Name: FUNCTION coinrequest_note_resumption(); Type: ACL; Schema: public; Owner: -
--

REVOKE ALL ON FUNCTION public.coinrequest_note_resumption() FROM PUBLIC;


--
-- Name: FUNCTION coinrequest_record_run(dag text, run text); Type: ACL; Schema: public; Owner: -
--

REVOKE ALL ON FUNCTION public.coinrequest_record_run(dag text, run text) FROM PUBLIC;


--
-- Name: FUNCTION coinrequest_renew_installation(); Type: ACL; Schema: public; Owner: -
--

REVOKE ALL ON FUNCTION public.coinrequest_renew_installation() FROM PUBLIC;


--
-- Name: FUNCTION coinrequest_revision_in_order(); Type: ACL; Schema: public; Owner: -
--

REVOKE ALL ON FUNCTION public.coinrequest_revision_in_order() FROM PUBLIC;


--
-- Name: FUNCTION coinrequest_revision_is_append_only(); Type: ACL; Schema: public; Owner: -
--

REVOKE ALL ON FUNCTION public.coinrequest_revision_is_append_only() FROM PUBLIC;


--
-- Name: TABLE coinrequest_installation; Type: ACL; Schema: public; Owner: -
--

GRANT SELECT ON TABLE public.coinrequest_installation TO coinrequest_reader;


--
-- Name: TABLE coinrequest_revision; Type: ACL; Schema: public; Owner: -
--

GRANT SELECT ON TABLE public.coinrequest_revision TO coinrequest_reader;
