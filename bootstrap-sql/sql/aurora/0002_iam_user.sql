-- The login of the functions. It has no password: it presents an IAM token, which the service accepts from members of
-- the role rds_iam. On a Postgres without that role (a laptop, a test) the login is made all the same, with a note.
SELECT set_config('pgapp.iam_user', :'iam_user', true);

DO $$
DECLARE
    iam_user constant text := current_setting('pgapp.iam_user');
BEGIN
    IF iam_user = current_user THEN
        RAISE EXCEPTION 'the role "%" runs this step and cannot be the user of the functions', current_user
            USING HINT = 'Choose another name for the IAM user.';
    END IF;
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = iam_user) THEN
        BEGIN
            EXECUTE format('CREATE ROLE %I LOGIN', iam_user);
        EXCEPTION WHEN duplicate_object OR unique_violation THEN
            NULL; -- Another database of this cluster was set up at the same moment.
        END;
    END IF;
    IF NOT (SELECT rolcanlogin FROM pg_roles WHERE rolname = iam_user) THEN
        EXECUTE format('ALTER ROLE %I LOGIN', iam_user);
    END IF;
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'rds_iam') THEN
        PERFORM set_config('pgapp.notes', format(
            'the role "rds_iam" does not exist on this server, so "%s" cannot log in with an IAM token', iam_user), true);
    ELSIF NOT EXISTS (SELECT FROM pg_auth_members
                      WHERE roleid = (SELECT oid FROM pg_roles WHERE rolname = 'rds_iam')
                        AND member = (SELECT oid FROM pg_roles WHERE rolname = iam_user)) THEN
        EXECUTE format('GRANT rds_iam TO %I', iam_user);
    END IF;
END
$$;
