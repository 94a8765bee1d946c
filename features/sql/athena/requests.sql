-- requests, for athena: made by 'make sql' from features/; a change here is lost
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
    audit_id AS audit_id,
    stage AS stage,
    username AS username,
    impersonated_user AS impersonated_user,
    verb AS verb,
    code AS code,
    decision AS decision,
    level AS level,
    name AS name,
    namespace AS namespace,
    user_agent AS user_agent,
    request_uri AS request_uri,
    authz_role AS authz_role,
    authz_binding AS authz_binding,
    truncated AS truncated,
    resource AS resource,
    subresource AS subresource,
    api_group AS api_group,
    pod_name AS pod_name,
    credential_id AS credential_id,
    token_expiration_s AS token_expiration_s,
    asked_permission AS asked_permission,
    binding_role AS binding_role,
    binding_subjects AS binding_subjects,
    binds_self AS binds_self,
    binds_everybody AS binds_everybody,
    rule_wildcard AS rule_wildcard,
    rule_secrets AS rule_secrets,
    rule_exec AS rule_exec,
    webhook_outside AS webhook_outside,
    owner AS owner,
    bytes AS bytes,
    CASE
      WHEN username IS NULL OR username IN ('', 'system:anonymous')
      THEN 'unauthenticated'
      WHEN username LIKE 'system:node:%'
      THEN CONCAT(
        CAST('node-group:' AS VARCHAR),
        CAST(COALESCE(iam_role_arn, 'without-iam-role') AS VARCHAR)
      )
      WHEN username LIKE 'eks:%'
      OR username LIKE 'system:kube-%'
      OR username IN (
        'system:apiserver',
        'system:serviceaccount:kube-system:attachdetach-controller',
        'system:serviceaccount:kube-system:bootstrap-signer',
        'system:serviceaccount:kube-system:certificate-controller',
        'system:serviceaccount:kube-system:clusterrole-aggregation-controller',
        'system:serviceaccount:kube-system:cronjob-controller',
        'system:serviceaccount:kube-system:daemon-set-controller',
        'system:serviceaccount:kube-system:deployment-controller',
        'system:serviceaccount:kube-system:disruption-controller',
        'system:serviceaccount:kube-system:endpoint-controller',
        'system:serviceaccount:kube-system:endpointslice-controller',
        'system:serviceaccount:kube-system:endpointslicemirroring-controller',
        'system:serviceaccount:kube-system:ephemeral-volume-controller',
        'system:serviceaccount:kube-system:expand-controller',
        'system:serviceaccount:kube-system:generic-garbage-collector',
        'system:serviceaccount:kube-system:horizontal-pod-autoscaler',
        'system:serviceaccount:kube-system:job-controller',
        'system:serviceaccount:kube-system:legacy-service-account-token-cleaner',
        'system:serviceaccount:kube-system:namespace-controller',
        'system:serviceaccount:kube-system:node-controller',
        'system:serviceaccount:kube-system:persistent-volume-binder',
        'system:serviceaccount:kube-system:pod-garbage-collector',
        'system:serviceaccount:kube-system:pv-protection-controller',
        'system:serviceaccount:kube-system:pvc-protection-controller',
        'system:serviceaccount:kube-system:replicaset-controller',
        'system:serviceaccount:kube-system:replication-controller',
        'system:serviceaccount:kube-system:resourcequota-controller',
        'system:serviceaccount:kube-system:root-ca-cert-publisher',
        'system:serviceaccount:kube-system:route-controller',
        'system:serviceaccount:kube-system:service-account-controller',
        'system:serviceaccount:kube-system:service-controller',
        'system:serviceaccount:kube-system:statefulset-controller',
        'system:serviceaccount:kube-system:token-cleaner',
        'system:serviceaccount:kube-system:ttl-after-finished-controller',
        'system:serviceaccount:kube-system:ttl-controller'
      )
      THEN username
      WHEN username LIKE 'system:serviceaccount:kube-system:%'
      THEN username
      WHEN username LIKE 'system:serviceaccount:%'
      THEN CASE
        WHEN COALESCE(
          REGEXP_EXTRACT(
            username,
            '\A(system:serviceaccount:[^:]*-)(?:[a-f]{0}[0-9][a-f0-9]{6,}|[a-f]{1}[0-9][a-f0-9]{5,}|[a-f]{2}[0-9][a-f0-9]{4,}|[a-f]{3}[0-9][a-f0-9]{3,}|[a-f]{4}[0-9][a-f0-9]{2,}|[a-f]{5}[0-9][a-f0-9]{1,}|[a-f]{6,}[0-9][a-f0-9]*|[0-9]{2,}):'
          ),
          CASE WHEN NOT username IS NULL THEN '' END
        ) = ''
        THEN username
        ELSE REGEXP_REPLACE(
          username,
          '\A(system:serviceaccount:[^:]*-)(?:[a-f]{0}[0-9][a-f0-9]{6,}|[a-f]{1}[0-9][a-f0-9]{5,}|[a-f]{2}[0-9][a-f0-9]{4,}|[a-f]{3}[0-9][a-f0-9]{3,}|[a-f]{4}[0-9][a-f0-9]{2,}|[a-f]{5}[0-9][a-f0-9]{1,}|[a-f]{6,}[0-9][a-f0-9]*|[0-9]{2,}):',
          '$1*:'
        )
      END
      WHEN username LIKE 'system:%'
      THEN username
      WHEN NOT COALESCE(
        NULLIF(session_name, ''),
        NULLIF(
          COALESCE(
            REGEXP_EXTRACT(username, '\Aarn:aws[a-z-]*:sts::([0-9]{12}):assumed-role/([^/]+)/([^\n]+)\z', 3),
            CASE WHEN NOT username IS NULL THEN '' END
          ),
          ''
        )
      ) IS NULL
      AND COALESCE(
        NULLIF(
          COALESCE(
            REGEXP_EXTRACT(iam_role_arn, '\Aarn:aws[a-z-]*:iam::([0-9]{12}):role/(?:[^\n]*/)?([^/]+)\z', 2),
            CASE WHEN NOT iam_role_arn IS NULL THEN '' END
          ),
          ''
        ),
        COALESCE(
          REGEXP_EXTRACT(username, '\Aarn:aws[a-z-]*:sts::([0-9]{12}):assumed-role/([^/]+)/([^\n]+)\z', 2),
          CASE WHEN NOT username IS NULL THEN '' END
        )
      ) <> ''
      AND REGEXP_LIKE(
        COALESCE(
          NULLIF(session_name, ''),
          NULLIF(
            COALESCE(
              REGEXP_EXTRACT(username, '\Aarn:aws[a-z-]*:sts::([0-9]{12}):assumed-role/([^/]+)/([^\n]+)\z', 3),
              CASE WHEN NOT username IS NULL THEN '' END
            ),
            ''
          )
        ),
        '\A(?:EKSGetTokenAuth|botocore-session-[0-9]+|aws-(?:go-sdk|sdk-java|sdk-js|sdk-js-session)-[0-9]+|i-[0-9a-f]+|[0-9]+|(?:[A-Za-z0-9_+=,.@-]+-)?[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}|[0-9a-f]{32})\z'
      )
      THEN CONCAT(
        CAST('iam-role:' AS VARCHAR),
        CAST(COALESCE(
          NULLIF(
            COALESCE(
              REGEXP_EXTRACT(iam_role_arn, '\Aarn:aws[a-z-]*:iam::([0-9]{12}):role/(?:[^\n]*/)?([^/]+)\z', 1),
              CASE WHEN NOT iam_role_arn IS NULL THEN '' END
            ),
            ''
          ),
          COALESCE(
            REGEXP_EXTRACT(username, '\Aarn:aws[a-z-]*:sts::([0-9]{12}):assumed-role/([^/]+)/([^\n]+)\z', 1),
            CASE WHEN NOT username IS NULL THEN '' END
          )
        ) AS VARCHAR),
        CAST(':' AS VARCHAR),
        CAST(COALESCE(
          NULLIF(
            COALESCE(
              REGEXP_EXTRACT(iam_role_arn, '\Aarn:aws[a-z-]*:iam::([0-9]{12}):role/(?:[^\n]*/)?([^/]+)\z', 2),
              CASE WHEN NOT iam_role_arn IS NULL THEN '' END
            ),
            ''
          ),
          COALESCE(
            REGEXP_EXTRACT(username, '\Aarn:aws[a-z-]*:sts::([0-9]{12}):assumed-role/([^/]+)/([^\n]+)\z', 2),
            CASE WHEN NOT username IS NULL THEN '' END
          )
        ) AS VARCHAR)
      )
      WHEN NOT COALESCE(
        NULLIF(session_name, ''),
        NULLIF(
          COALESCE(
            REGEXP_EXTRACT(username, '\Aarn:aws[a-z-]*:sts::([0-9]{12}):assumed-role/([^/]+)/([^\n]+)\z', 3),
            CASE WHEN NOT username IS NULL THEN '' END
          ),
          ''
        )
      ) IS NULL
      AND COALESCE(
        NULLIF(
          COALESCE(
            REGEXP_EXTRACT(iam_role_arn, '\Aarn:aws[a-z-]*:iam::([0-9]{12}):role/(?:[^\n]*/)?([^/]+)\z', 2),
            CASE WHEN NOT iam_role_arn IS NULL THEN '' END
          ),
          ''
        ),
        COALESCE(
          REGEXP_EXTRACT(username, '\Aarn:aws[a-z-]*:sts::([0-9]{12}):assumed-role/([^/]+)/([^\n]+)\z', 2),
          CASE WHEN NOT username IS NULL THEN '' END
        )
      ) <> ''
      THEN CONCAT(
        CAST('iam-role:' AS VARCHAR),
        CAST(COALESCE(
          NULLIF(
            COALESCE(
              REGEXP_EXTRACT(iam_role_arn, '\Aarn:aws[a-z-]*:iam::([0-9]{12}):role/(?:[^\n]*/)?([^/]+)\z', 1),
              CASE WHEN NOT iam_role_arn IS NULL THEN '' END
            ),
            ''
          ),
          COALESCE(
            REGEXP_EXTRACT(username, '\Aarn:aws[a-z-]*:sts::([0-9]{12}):assumed-role/([^/]+)/([^\n]+)\z', 1),
            CASE WHEN NOT username IS NULL THEN '' END
          )
        ) AS VARCHAR),
        CAST(':' AS VARCHAR),
        CAST(COALESCE(
          NULLIF(
            COALESCE(
              REGEXP_EXTRACT(iam_role_arn, '\Aarn:aws[a-z-]*:iam::([0-9]{12}):role/(?:[^\n]*/)?([^/]+)\z', 2),
              CASE WHEN NOT iam_role_arn IS NULL THEN '' END
            ),
            ''
          ),
          COALESCE(
            REGEXP_EXTRACT(username, '\Aarn:aws[a-z-]*:sts::([0-9]{12}):assumed-role/([^/]+)/([^\n]+)\z', 2),
            CASE WHEN NOT username IS NULL THEN '' END
          )
        ) AS VARCHAR),
        CAST('/' AS VARCHAR),
        CAST(COALESCE(
          NULLIF(session_name, ''),
          NULLIF(
            COALESCE(
              REGEXP_EXTRACT(username, '\Aarn:aws[a-z-]*:sts::([0-9]{12}):assumed-role/([^/]+)/([^\n]+)\z', 3),
              CASE WHEN NOT username IS NULL THEN '' END
            ),
            ''
          )
        ) AS VARCHAR)
      )
      WHEN REGEXP_LIKE(
        COALESCE(iam_role_arn, username),
        '\Aarn:aws[a-z-]*:iam::([0-9]{12}):user/(?:[^\n]*/)?([^/]+)\z'
      )
      THEN CONCAT(
        CAST('iam-user:' AS VARCHAR),
        CAST(COALESCE(
          REGEXP_EXTRACT(
            COALESCE(iam_role_arn, username),
            '\Aarn:aws[a-z-]*:iam::([0-9]{12}):user/(?:[^\n]*/)?([^/]+)\z',
            1
          ),
          CASE WHEN NOT COALESCE(iam_role_arn, username) IS NULL THEN '' END
        ) AS VARCHAR),
        CAST(':' AS VARCHAR),
        CAST(COALESCE(
          REGEXP_EXTRACT(
            COALESCE(iam_role_arn, username),
            '\Aarn:aws[a-z-]*:iam::([0-9]{12}):user/(?:[^\n]*/)?([^/]+)\z',
            2
          ),
          CASE WHEN NOT COALESCE(iam_role_arn, username) IS NULL THEN '' END
        ) AS VARCHAR)
      )
      WHEN TRUE
      THEN CASE
        WHEN REGEXP_LIKE(username, '\A(iam-role:|iam-user:|node-group:|user:|crowd:|unauthenticated\z)')
        THEN CONCAT(CAST('user:' AS VARCHAR), CAST(username AS VARCHAR))
        ELSE username
      END
    END AS principal,
    CASE
      WHEN username IS NULL OR username IN ('', 'system:anonymous')
      THEN 'unauthenticated'
      WHEN username LIKE 'system:node:%'
      THEN 'node'
      WHEN username LIKE 'eks:%'
      OR username LIKE 'system:kube-%'
      OR username IN (
        'system:apiserver',
        'system:serviceaccount:kube-system:attachdetach-controller',
        'system:serviceaccount:kube-system:bootstrap-signer',
        'system:serviceaccount:kube-system:certificate-controller',
        'system:serviceaccount:kube-system:clusterrole-aggregation-controller',
        'system:serviceaccount:kube-system:cronjob-controller',
        'system:serviceaccount:kube-system:daemon-set-controller',
        'system:serviceaccount:kube-system:deployment-controller',
        'system:serviceaccount:kube-system:disruption-controller',
        'system:serviceaccount:kube-system:endpoint-controller',
        'system:serviceaccount:kube-system:endpointslice-controller',
        'system:serviceaccount:kube-system:endpointslicemirroring-controller',
        'system:serviceaccount:kube-system:ephemeral-volume-controller',
        'system:serviceaccount:kube-system:expand-controller',
        'system:serviceaccount:kube-system:generic-garbage-collector',
        'system:serviceaccount:kube-system:horizontal-pod-autoscaler',
        'system:serviceaccount:kube-system:job-controller',
        'system:serviceaccount:kube-system:legacy-service-account-token-cleaner',
        'system:serviceaccount:kube-system:namespace-controller',
        'system:serviceaccount:kube-system:node-controller',
        'system:serviceaccount:kube-system:persistent-volume-binder',
        'system:serviceaccount:kube-system:pod-garbage-collector',
        'system:serviceaccount:kube-system:pv-protection-controller',
        'system:serviceaccount:kube-system:pvc-protection-controller',
        'system:serviceaccount:kube-system:replicaset-controller',
        'system:serviceaccount:kube-system:replication-controller',
        'system:serviceaccount:kube-system:resourcequota-controller',
        'system:serviceaccount:kube-system:root-ca-cert-publisher',
        'system:serviceaccount:kube-system:route-controller',
        'system:serviceaccount:kube-system:service-account-controller',
        'system:serviceaccount:kube-system:service-controller',
        'system:serviceaccount:kube-system:statefulset-controller',
        'system:serviceaccount:kube-system:token-cleaner',
        'system:serviceaccount:kube-system:ttl-after-finished-controller',
        'system:serviceaccount:kube-system:ttl-controller'
      )
      THEN 'control plane'
      WHEN username LIKE 'system:serviceaccount:kube-system:%'
      THEN 'system account'
      WHEN username LIKE 'system:serviceaccount:%'
      THEN 'workload'
      WHEN username LIKE 'system:%'
      THEN 'system account'
      WHEN NOT COALESCE(
        NULLIF(session_name, ''),
        NULLIF(
          COALESCE(
            REGEXP_EXTRACT(username, '\Aarn:aws[a-z-]*:sts::([0-9]{12}):assumed-role/([^/]+)/([^\n]+)\z', 3),
            CASE WHEN NOT username IS NULL THEN '' END
          ),
          ''
        )
      ) IS NULL
      AND COALESCE(
        NULLIF(
          COALESCE(
            REGEXP_EXTRACT(iam_role_arn, '\Aarn:aws[a-z-]*:iam::([0-9]{12}):role/(?:[^\n]*/)?([^/]+)\z', 2),
            CASE WHEN NOT iam_role_arn IS NULL THEN '' END
          ),
          ''
        ),
        COALESCE(
          REGEXP_EXTRACT(username, '\Aarn:aws[a-z-]*:sts::([0-9]{12}):assumed-role/([^/]+)/([^\n]+)\z', 2),
          CASE WHEN NOT username IS NULL THEN '' END
        )
      ) <> ''
      AND REGEXP_LIKE(
        COALESCE(
          NULLIF(session_name, ''),
          NULLIF(
            COALESCE(
              REGEXP_EXTRACT(username, '\Aarn:aws[a-z-]*:sts::([0-9]{12}):assumed-role/([^/]+)/([^\n]+)\z', 3),
              CASE WHEN NOT username IS NULL THEN '' END
            ),
            ''
          )
        ),
        '\A(?:EKSGetTokenAuth|botocore-session-[0-9]+|aws-(?:go-sdk|sdk-java|sdk-js|sdk-js-session)-[0-9]+|i-[0-9a-f]+|[0-9]+|(?:[A-Za-z0-9_+=,.@-]+-)?[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}|[0-9a-f]{32})\z'
      )
      THEN 'person'
      WHEN NOT COALESCE(
        NULLIF(session_name, ''),
        NULLIF(
          COALESCE(
            REGEXP_EXTRACT(username, '\Aarn:aws[a-z-]*:sts::([0-9]{12}):assumed-role/([^/]+)/([^\n]+)\z', 3),
            CASE WHEN NOT username IS NULL THEN '' END
          ),
          ''
        )
      ) IS NULL
      AND COALESCE(
        NULLIF(
          COALESCE(
            REGEXP_EXTRACT(iam_role_arn, '\Aarn:aws[a-z-]*:iam::([0-9]{12}):role/(?:[^\n]*/)?([^/]+)\z', 2),
            CASE WHEN NOT iam_role_arn IS NULL THEN '' END
          ),
          ''
        ),
        COALESCE(
          REGEXP_EXTRACT(username, '\Aarn:aws[a-z-]*:sts::([0-9]{12}):assumed-role/([^/]+)/([^\n]+)\z', 2),
          CASE WHEN NOT username IS NULL THEN '' END
        )
      ) <> ''
      THEN 'person'
      WHEN REGEXP_LIKE(
        COALESCE(iam_role_arn, username),
        '\Aarn:aws[a-z-]*:iam::([0-9]{12}):user/(?:[^\n]*/)?([^/]+)\z'
      )
      THEN 'person'
      WHEN TRUE
      THEN 'person'
    END AS type,
    COALESCE(received_ts, stage_ts) AS ts,
    COALESCE(
      username LIKE 'system:node:%'
      AND COALESCE(
        COALESCE(
          REGEXP_EXTRACT(session_name, '\Ai-[0-9a-f]+\z'),
          CASE WHEN NOT session_name IS NULL THEN '' END
        ),
        ''
      ) = '',
      FALSE
    ) AS no_instance,
    COALESCE(decision = 'allow' AND reason <> '' AND authz_mode IS NULL, FALSE) AS unparsed,
    COALESCE(
      resource IS NULL
      AND COALESCE(
        REGEXP_EXTRACT(request_uri, '\A/(api|apis|openapi|version)([/?]|\z)'),
        CASE WHEN NOT request_uri IS NULL THEN '' END
      ) <> '',
      FALSE
    ) AS discovery,
    REGEXP_REPLACE(NULLIF(ELEMENT_AT(source_ips, 1), ''), '\A::[fF]{4}:', '') AS address,
    COALESCE(
      NULLIF(
        TRIM(TRAILING '0123456789.-_' FROM REPLACE(
          REPLACE(
            REPLACE(
              REPLACE(
                REPLACE(
                  REPLACE(
                    REPLACE(
                      REPLACE(
                        REPLACE(
                          REPLACE(
                            REPLACE(
                              REPLACE(
                                REPLACE(
                                  REPLACE(
                                    REPLACE(
                                      REPLACE(
                                        REPLACE(
                                          REPLACE(
                                            REPLACE(
                                              REPLACE(
                                                REPLACE(
                                                  REPLACE(
                                                    REPLACE(
                                                      REPLACE(
                                                        REPLACE(
                                                          REPLACE(
                                                            COALESCE(
                                                              REGEXP_EXTRACT(user_agent, '\A[^/ (]*'),
                                                              CASE WHEN NOT user_agent IS NULL THEN '' END
                                                            ),
                                                            'A',
                                                            'a'
                                                          ),
                                                          'B',
                                                          'b'
                                                        ),
                                                        'C',
                                                        'c'
                                                      ),
                                                      'D',
                                                      'd'
                                                    ),
                                                    'E',
                                                    'e'
                                                  ),
                                                  'F',
                                                  'f'
                                                ),
                                                'G',
                                                'g'
                                              ),
                                              'H',
                                              'h'
                                            ),
                                            'I',
                                            'i'
                                          ),
                                          'J',
                                          'j'
                                        ),
                                        'K',
                                        'k'
                                      ),
                                      'L',
                                      'l'
                                    ),
                                    'M',
                                    'm'
                                  ),
                                  'N',
                                  'n'
                                ),
                                'O',
                                'o'
                              ),
                              'P',
                              'p'
                            ),
                            'Q',
                            'q'
                          ),
                          'R',
                          'r'
                        ),
                        'S',
                        's'
                      ),
                      'T',
                      't'
                    ),
                    'U',
                    'u'
                  ),
                  'V',
                  'v'
                ),
                'W',
                'w'
              ),
              'X',
              'x'
            ),
            'Y',
            'y'
          ),
          'Z',
          'z'
        )),
        ''
      ),
      'none'
    ) AS agent,
    privileged OR host_pid OR host_network OR host_ipc OR host_path AS host_access,
    rule_wildcard OR rule_escalate OR rule_bind OR rule_impersonate OR rule_secrets AS strong_rule,
    rule_escalate OR rule_bind OR rule_impersonate AS rule_rights,
    COALESCE(images, aws_auth_identities) AS told,
    bytes IS NULL AS retold,
    COALESCE(resource = 'leases' AND api_group = 'coordination.k8s.io', FALSE)
    OR COALESCE(
      resource IS NULL
      AND COALESCE(
        REGEXP_EXTRACT(request_uri, '\A/(healthz|readyz|livez)([/?]|\z)'),
        CASE WHEN NOT request_uri IS NULL THEN '' END
      ) <> ''
      AND code < 400,
      FALSE
    ) AS left_out,
    1 AS n
  FROM (
    SELECT
      events.*
    FROM events
    LEFT JOIN (
      SELECT
        content_hash
      FROM (
        SELECT
          content_hash,
          FIRST_VALUE(content_hash) OVER (
            PARTITION BY audit_id, username, verb, request_uri, received_ts
            ORDER BY CASE stage
              WHEN 'ResponseComplete'
              THEN 4
              WHEN 'Panic'
              THEN 3
              WHEN 'ResponseStarted'
              THEN 2
              WHEN 'RequestReceived'
              THEN 1
              ELSE 0
            END DESC, stage_ts DESC, content_hash
          ) AS speaks
        FROM events
        JOIN (
          SELECT
            audit_id
          FROM events
          GROUP BY
            audit_id
          HAVING
            COUNT(*) > 1
        ) AS told_again
          USING (audit_id)
      )
      WHERE
        content_hash <> speaks
    ) AS outdone
      ON outdone.content_hash = events.content_hash
    WHERE
      outdone.content_hash IS NULL
  )
)
