-- tallies, for athena: made by 'make sql' from features/; a change here is lost
SELECT
  *,
  COALESCE(verb IN ('create', 'update', 'patch', 'delete', 'deletecollection'), FALSE)
  AND COALESCE(
    NOT resource IN (
      'selfsubjectaccessreviews',
      'selfsubjectrulesreviews',
      'selfsubjectreviews',
      'subjectaccessreviews',
      'localsubjectaccessreviews',
      'tokenreviews'
    ),
    FALSE
  ) AS writes,
  COALESCE(
    COALESCE(
      CONCAT(
        CAST(NULLIF(
          COALESCE(
            REGEXP_EXTRACT(
              namespace,
              '\A([^\n]*-)(?:[a-f]{0}[0-9][a-f0-9]{6,}|[a-f]{1}[0-9][a-f0-9]{5,}|[a-f]{2}[0-9][a-f0-9]{4,}|[a-f]{3}[0-9][a-f0-9]{3,}|[a-f]{4}[0-9][a-f0-9]{2,}|[a-f]{5}[0-9][a-f0-9]{1,}|[a-f]{6,}[0-9][a-f0-9]*|[0-9]{2,})\z',
              1
            ),
            CASE WHEN NOT namespace IS NULL THEN '' END
          ),
          ''
        ) AS VARCHAR),
        CAST('*' AS VARCHAR)
      ),
      namespace
    ),
    '-'
  ) AS place,
  COALESCE(
    CONCAT(
      CAST(resource AS VARCHAR),
      CAST(COALESCE(CONCAT(CAST('.' AS VARCHAR), CAST(api_group AS VARCHAR)), '') AS VARCHAR),
      CAST(COALESCE(CONCAT(CAST('/' AS VARCHAR), CAST(subresource AS VARCHAR)), '') AS VARCHAR)
    ),
    'url'
  ) AS object,
  CASE
    WHEN REGEXP_LIKE(
      address,
      '\A(25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])(\.(25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])){3}\z'
    )
    THEN CONCAT(
      CAST(COALESCE(
        REGEXP_EXTRACT(address, '\A([0-9]+\.[0-9]+\.[0-9]+)\.', 1),
        CASE WHEN NOT address IS NULL THEN '' END
      ) AS VARCHAR),
      CAST('.0/24' AS VARCHAR)
    )
    ELSE address
  END AS network,
  COALESCE(
    (
      REGEXP_LIKE(
        address,
        '\A(25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])(\.(25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])){3}\z'
      )
      OR (
        STRPOS(address, ':') > 0
      )
    )
    AND NOT REGEXP_LIKE(
      address,
      '\A(0\.|2(2[4-9]|[34][0-9]|5[0-5])\.|10\.|127\.|169\.254\.|192\.168\.|172\.(1[6-9]|2[0-9]|3[01])\.|100\.(6[4-9]|[7-9][0-9]|1[01][0-9]|12[0-7])\.|::1?\z|[fF][cdfCDF]|[fF][eE][89abAB])'
    ),
    FALSE
  ) AS is_public
FROM (
  SELECT
    username,
    impersonated_user,
    verb,
    code,
    decision,
    level,
    name,
    namespace,
    authz_role,
    authz_binding,
    truncated,
    resource,
    subresource,
    api_group,
    pod_name,
    credential_id,
    token_expiration_s,
    asked_permission,
    binding_role,
    binding_subjects,
    binds_self,
    binds_everybody,
    rule_wildcard,
    rule_secrets,
    rule_exec,
    webhook_outside,
    owner,
    principal,
    type,
    no_instance,
    unparsed,
    discovery,
    address,
    agent,
    host_access,
    strong_rule,
    rule_rights,
    told,
    retold,
    left_out,
    CASE WHEN GROUPING(each_minute) = 0 THEN 'minute' ELSE 'alike' END AS grain,
    COALESCE(each_minute, each_hour) AS unit,
    COUNT(*) AS n,
    MIN(ts) AS ts,
    MAX(ts) AS last_ts,
    CAST(SUM(bytes) AS BIGINT) AS bytes
  FROM (
    SELECT
      *,
      DATE_TRUNC('MINUTE', ts) AS each_minute,
      DATE_TRUNC('HOUR', ts) AS each_hour
    FROM requests
  )
  GROUP BY
    GROUPING SETS (
      (
        username,
        impersonated_user,
        verb,
        code,
        decision,
        level,
        name,
        namespace,
        authz_role,
        authz_binding,
        truncated,
        resource,
        subresource,
        api_group,
        pod_name,
        credential_id,
        token_expiration_s,
        asked_permission,
        binding_role,
        binding_subjects,
        binds_self,
        binds_everybody,
        rule_wildcard,
        rule_secrets,
        rule_exec,
        webhook_outside,
        owner,
        principal,
        type,
        no_instance,
        unparsed,
        discovery,
        address,
        agent,
        host_access,
        strong_rule,
        rule_rights,
        told,
        retold,
        left_out,
        each_hour
      ),
      (principal, left_out, each_minute)
    )
)
