INSERT INTO headers (id, workspace, betas, api_version) VALUES
(1, 'default', '', '2026-10-21');
INSERT INTO lane (id, name, paused_at, paused_reason) VALUES
(1, 'default', NULL, NULL),
(2, 'capped', NULL, NULL);
INSERT INTO batch (id, lane_id, headers_id, parent_id, state, items, size, has_schemas, has_prefixes, packed_at, changed_at, not_before, releases, reason) OVERRIDING SYSTEM VALUE VALUES
(1, 1, 1, NULL, 'collected', 7, 762, false, false, '2026-11-30 05:40:48.858262+00', '2026-11-30 05:40:56.928961+00', NULL, 0, NULL),
(14, 1, 1, NULL, 'submitting', 1, 94, false, false, '2026-11-30 05:40:59.428585+00', '2026-11-30 05:40:59.471505+00', NULL, 0, NULL),
(2, 1, 1, NULL, 'split', 2, 227, false, false, '2026-11-30 05:40:57.004174+00', '2026-11-30 05:40:57.123218+00', NULL, 0, '400 invalid_request_error: requests.1: the sandbox was told to reject this request'),
(15, 1, 1, NULL, 'packed', 1, 94, false, false, '2026-11-30 05:40:59.535293+00', '2026-11-30 05:40:59.535293+00', NULL, 0, NULL),
(4, 1, 1, 2, 'failed', 1, 134, false, false, '2026-11-30 05:40:57.123218+00', '2026-11-30 05:40:57.234935+00', NULL, 0, '400 invalid_request_error: requests.0: the sandbox was told to reject this request'),
(3, 1, 1, 2, 'collected', 1, 93, false, false, '2026-11-30 05:40:57.123218+00', '2026-11-30 05:40:57.364757+00', NULL, 0, NULL),
(5, 1, 1, NULL, 'collected', 1, 94, false, false, '2026-11-30 05:40:57.624261+00', '2026-11-30 05:40:58.017862+00', NULL, 0, NULL),
(8, 1, 1, NULL, 'ended', 1, 93, false, false, '2026-11-30 05:40:58.341082+00', '2026-11-30 05:40:58.738857+00', NULL, 0, NULL),
(9, 1, 1, NULL, 'incomplete', 1, 93, false, false, '2026-11-30 05:40:58.51653+00', '2026-11-30 05:40:58.738857+00', NULL, 0, NULL),
(10, 1, 1, NULL, 'open', 1, 92, false, false, '2026-11-30 05:40:58.779506+00', '2026-11-30 05:40:58.907818+00', NULL, 0, NULL),
(11, 1, 1, NULL, 'canceling', 1, 92, false, false, '2026-11-30 05:40:58.993833+00', '2026-11-30 05:40:59.099738+00', NULL, 0, NULL),
(12, 1, 1, NULL, 'unclear', 1, 93, false, false, '2026-11-30 05:40:59.162975+00', '2026-11-30 05:40:59.265494+00', NULL, 0, 'RemoteProtocolError: Server disconnected without sending a response.'),
(13, 1, 1, NULL, 'submitting', 1, 94, false, false, '2026-11-30 05:40:59.338043+00', '2026-11-30 05:40:59.384192+00', NULL, 0, NULL);
INSERT INTO run (id, name, created_at) VALUES
(1, 'night-1', '2026-11-30 05:40:48.651025+00'),
(2, 'night-2', '2026-11-30 05:40:59.567582+00');
INSERT INTO tenant (id, name) VALUES
(1, 'acme');
INSERT INTO budget (id, lane_id, tenant_id, run_id, period, cap_nano, strict) VALUES
(1, 2, NULL, NULL, 'day', 10, true),
(2, 1, NULL, NULL, 'day', 5000000000, false);
INSERT INTO delivery (item_id, lane_id, target_id, state, size, due_at, tries, generation, error) VALUES
(2, 1, 1, 'awaiting_ack', 2672, '2026-11-30 05:50:56.926238+00', 1, 0, NULL),
(1, 1, 1, 'delivered', 2653, '2026-11-30 05:41:56.869321+00', 1, 0, NULL),
(5, 1, 1, 'delivered', 1736, '2026-11-30 05:41:56.869321+00', 1, 0, NULL),
(3, 1, 1, 'dead', 2688, '2026-11-30 05:40:59.607436+00', 1, 0, NULL),
(4, 1, 1, 'due', 2634, '2026-11-30 05:40:59.608533+00', 1, 0, NULL);
INSERT INTO deployment (one, id, home, moved_at, moved_why, word_wanted) VALUES
(true, '2b448180-99b9-4d4a-ad8c-68e30597c555', '7713835316610147522/1/17356', NULL, NULL, false);
INSERT INTO inbox (message_id, tries, received_at, done_at, verdict) VALUES
('dd0b1e75-890c-41db-b4d4-add752f37a1f', 1, '2026-11-30 05:40:48.629855+00', '2026-11-30 05:40:48.656761+00', '{"accepted":6,"known":0,"rejected":[]}'),
('80f4159f-c5ec-4386-9f0f-a6ef62cc0712', 1, '2026-11-30 05:40:48.781768+00', '2026-11-30 05:40:48.785866+00', '{"accepted":1,"known":0,"rejected":[]}'),
('f18ebfc4-dec1-4cf5-a17a-832e5c2ba48e', 1, '2026-11-30 05:40:56.963049+00', '2026-11-30 05:40:56.972532+00', '{"accepted":2,"known":0,"rejected":[]}'),
('b0bdbec6-63b6-455d-bd9d-02dda1a796c7', 1, '2026-11-30 05:40:57.588962+00', '2026-11-30 05:40:57.590009+00', '{"accepted":1,"known":0,"rejected":[]}'),
('235abec9-dd93-4ff4-8639-bcc1d4644b27', 1, '2026-11-30 05:40:58.037333+00', '2026-11-30 05:40:58.045673+00', '{"accepted":1,"known":0,"rejected":[]}'),
('79c4b036-0385-482b-8576-86599c92a90a', 1, '2026-11-30 05:40:58.067038+00', '2026-11-30 05:40:58.080365+00', '{"accepted":1,"known":0,"rejected":[]}'),
('e9942266-f775-4168-a018-37baf9f72d2c', 1, '2026-11-30 05:40:58.205376+00', '2026-11-30 05:40:58.20894+00', '{"accepted":1,"known":0,"rejected":[]}'),
('99ebe436-04ef-4e5a-a4f6-29d0de5294f5', 1, '2026-11-30 05:40:58.308563+00', '2026-11-30 05:40:58.315369+00', '{"accepted":1,"known":0,"rejected":[]}'),
('6c265145-4843-4991-8be0-be03d7617838', 1, '2026-11-30 05:40:58.475624+00', '2026-11-30 05:40:58.484792+00', '{"accepted":1,"known":0,"rejected":[]}'),
('2523a742-17c2-4fcf-b39d-1c9a77a116d8', 1, '2026-11-30 05:40:58.761373+00', '2026-11-30 05:40:58.76502+00', '{"accepted":1,"known":0,"rejected":[]}'),
('0865aa62-9bca-4df5-bbb0-ab6ca2353cbb', 1, '2026-11-30 05:40:58.949127+00', '2026-11-30 05:40:58.959866+00', '{"accepted":1,"known":0,"rejected":[]}'),
('d0f5b7c7-404b-4ff7-87d7-659b2ebbe5d0', 1, '2026-11-30 05:40:59.115951+00', '2026-11-30 05:40:59.118194+00', '{"accepted":1,"known":0,"rejected":[]}'),
('948eb44c-29b3-4e86-8dbf-0b0727f89c9e', 1, '2026-11-30 05:40:59.316865+00', '2026-11-30 05:40:59.31839+00', '{"accepted":1,"known":0,"rejected":[]}'),
('ea71ae71-72b8-4ce7-8d83-b554fc2ad8ea', 1, '2026-11-30 05:40:59.402039+00', '2026-11-30 05:40:59.404677+00', '{"accepted":1,"known":0,"rejected":[]}'),
('9001d8a2-aba4-49ee-aecf-96e03cbee959', 1, '2026-11-30 05:40:59.494454+00', '2026-11-30 05:40:59.507447+00', '{"accepted":1,"known":0,"rejected":[]}'),
('cbe22869-5d15-4e1a-a1b1-c16da3014bd2', 1, '2026-11-30 05:40:59.564711+00', '2026-11-30 05:40:59.583026+00', '{"accepted":2,"known":0,"rejected":[]}');
INSERT INTO item (id, lane_id, headers_id, run_id, tenant_id, model_id, schema_id, prefix_id, shape_id, target_id, batch_id, waiting_since, size, callback_size, max_tokens, state, attempts, cancel_wanted, held_by, held_since, held_reason, reserved_nano) VALUES
(1, 1, 1, 1, 1, 1, NULL, NULL, 1, 1, 1, NULL, 95, 35, 256, 'succeeded', 1, false, NULL, NULL, NULL, NULL),
(2, 1, 1, 1, NULL, 1, NULL, NULL, 1, 1, 1, NULL, 92, 46, 256, 'succeeded', 1, false, NULL, NULL, NULL, NULL),
(3, 1, 1, 1, NULL, 1, NULL, NULL, 1, 1, 1, NULL, 92, 35, 256, 'succeeded', 1, false, NULL, NULL, NULL, NULL),
(4, 1, 1, 1, NULL, 1, NULL, NULL, 1, 1, 1, NULL, 92, 35, 256, 'succeeded', 1, false, NULL, NULL, NULL, NULL),
(7, 1, 1, NULL, NULL, 1, NULL, NULL, 1, NULL, 1, NULL, 101, 0, 256, 'succeeded', 1, false, NULL, NULL, NULL, NULL),
(6, 1, 1, 1, NULL, 1, NULL, NULL, 1, NULL, 1, NULL, 135, 0, 256, 'failed', 1, false, NULL, NULL, NULL, NULL),
(5, 1, 1, 1, NULL, 1, NULL, NULL, 1, 1, 1, NULL, 155, 35, 256, 'failed', 1, false, NULL, NULL, NULL, NULL),
(9, 1, 1, NULL, NULL, 1, NULL, NULL, 1, NULL, 4, NULL, 134, 0, 256, 'failed', 1, false, NULL, NULL, NULL, NULL),
(8, 1, 1, NULL, NULL, 1, NULL, NULL, 1, NULL, 3, NULL, 93, 0, 256, 'succeeded', 1, false, NULL, NULL, NULL, NULL),
(10, 1, 1, NULL, NULL, 1, NULL, NULL, 1, NULL, 5, NULL, 94, 0, 256, 'succeeded', 1, false, NULL, NULL, NULL, NULL),
(11, 1, 1, NULL, NULL, 1, NULL, NULL, 1, NULL, NULL, NULL, 93, 0, 256, 'canceled', 0, true, NULL, NULL, NULL, NULL),
(12, 2, 1, NULL, NULL, 1, NULL, NULL, 1, NULL, NULL, NULL, 92, 0, 256, 'held', 0, false, 1, '2026-11-30 05:40:58.080365+00', 'over the cap by itself', 300520),
(13, 2, 1, NULL, NULL, 1, NULL, NULL, 1, NULL, NULL, NULL, 92, 0, 256, 'held', 0, false, 1, '2026-11-30 05:40:58.20894+00', 'over the cap by itself', 300520),
(14, 1, 1, NULL, NULL, 1, NULL, NULL, 1, NULL, 8, NULL, 93, 0, 256, 'batched', 0, false, NULL, NULL, NULL, NULL),
(15, 1, 1, NULL, NULL, 1, NULL, NULL, 1, NULL, 9, NULL, 93, 0, 256, 'batched', 0, false, NULL, NULL, NULL, NULL),
(16, 1, 1, NULL, NULL, 1, NULL, NULL, 1, 1, 10, NULL, 92, 35, 256, 'batched', 0, false, NULL, NULL, NULL, NULL),
(17, 1, 1, NULL, NULL, 1, NULL, NULL, 1, 1, 11, NULL, 92, 35, 256, 'batched', 0, false, NULL, NULL, NULL, NULL),
(18, 1, 1, NULL, NULL, 1, NULL, NULL, 1, NULL, 12, NULL, 93, 0, 256, 'batched', 0, false, NULL, NULL, NULL, NULL),
(19, 1, 1, NULL, NULL, 1, NULL, NULL, 1, NULL, 13, NULL, 94, 0, 256, 'batched', 0, false, NULL, NULL, NULL, NULL),
(20, 1, 1, NULL, NULL, 1, NULL, NULL, 1, NULL, 14, NULL, 94, 0, 256, 'batched', 0, false, NULL, NULL, NULL, NULL),
(21, 1, 1, NULL, NULL, 1, NULL, NULL, 1, NULL, 15, NULL, 94, 0, 256, 'batched', 0, false, NULL, NULL, NULL, NULL),
(22, 1, 1, 2, NULL, 1, NULL, NULL, 1, 1, NULL, '2026-11-30 05:40:59.583026+00', 95, 35, 256, 'waiting', 0, false, NULL, NULL, NULL, NULL),
(23, 1, 1, 2, 1, 1, NULL, NULL, 1, NULL, NULL, '2026-11-30 05:40:59.583026+00', 95, 0, 256, 'waiting', 0, false, NULL, NULL, NULL, NULL);
INSERT INTO item_key (lane_id, key_hash, item_id, content_hash) VALUES
(1, '\x0f2782f56b4735220e2333ef0558105d', 4, '\x769e0ca54e744ac3a383088ea4616989'),
(1, '\x19c38ca2a30d7c157fd883684d40d4d7', 6, '\x976f5b17c65058501ff5353b8e4e7e3f'),
(1, '\x5bbaa8684d1f042f281dd9c47fc71ea1', 1, '\x0367ead81b24e12ff3022bf58714ebc8'),
(1, '\x8095cd01612902641b2d2ddc60bf0476', 2, '\x26ae3cd53dd25373a804d697f3ce740f'),
(1, '\xa975da2b4532db2a5291812c072f6d4c', 5, '\x2fc9ee7e741c44588b2d911a6f2619f3'),
(1, '\xcdab638e9b9df812f7dbaf2d71740b91', 3, '\x189fe59aa61a6a6b272afba39819767d'),
(1, '\xc1c61299998a167ffa1a81ba37517926', 7, '\x1f0f5bd0c2069e2089b40ee8a6b4437e'),
(1, '\x82d67da158f9d765c116e32049bbdceb', 9, '\xadebe3fa22da3be6bb074bf256c61d2e'),
(1, '\xc6c7f29076a178a0e6a76987468b5876', 8, '\x1d182dfcd4ed33fa346238423d083eec'),
(1, '\x9d5c9b8e27f788bc67f114513892b01a', 10, '\x70d51db3a35949137823f474c5a1bbc6'),
(1, '\x198c0d655bdabc138129eb3bf1b4d9cb', 11, '\x8ab8747e13b4b8f5d39d83350d53cca6'),
(2, '\x81b85ee02ce4015b475c0d917655e68d', 12, '\xe2a55987922be5f869602ae6e041f960'),
(2, '\x57575e8f26a9875a4550412c6d316a43', 13, '\xd77cdbe17449e2853543a6739b64d396'),
(1, '\xc4b6b0aa7e550b32b942f197d686c1eb', 14, '\x0ddd54052669915cdf7487a708ff148f'),
(1, '\x23f2a2f97a290b544387ef5db1a6826e', 15, '\x9856d18b18915e5e17a8ea85db41a332'),
(1, '\xbf418f31bfbb622392270c246c119202', 16, '\x835cfc915a987f72ca8035615c1586fb'),
(1, '\xeb3e0795549a07212b0da020b6078265', 17, '\xe0aa0a395f8e51818042ac32ad407e59'),
(1, '\x92d8d478bbcbc5c1ed99eb1db8725fe8', 18, '\x856f3360bb015426ae0430e18f8154a4'),
(1, '\x901e7af8dad86bb9c7e829befeea5ca2', 19, '\x664a64a5f535e581b2c705ab9bb437f1'),
(1, '\xbe27e235b71bf900802c9b9413cda6d3', 20, '\x6a840b8d07648fcbcda36630b1a40cf3'),
(1, '\x72682ffb788761b9a95542be7de460ab', 21, '\x7ad32b31f36ca67405c0b35775080882'),
(1, '\x5b5d21fc521904aafbb22b007424fd92', 22, '\x69be9d6f2319f58c83654ee925ab9170'),
(1, '\x9a7dcb157a711d5d1a71b6e8f68e4ab9', 23, '\x09fa36a7ee2898909c0d181329f2d1cb');
INSERT INTO model (id, name) VALUES
(1, 'claude-haiku-5-5');
INSERT INTO outcome (item_id, submission_id, finished_at, cost_nano, realtime_nano, input_tokens, cache_write_5m_tokens, cache_write_1h_tokens, cache_read_tokens, output_tokens, thinking_tokens, attempts, ok, retryable, billed, via, problem, detail, model, api_batch_id, message) VALUES
(5, 1, '2026-11-30 05:40:56.869321+00', 0, 0, 0, 0, 0, 0, 0, 0, 1, false, false, false, 'batch', 'errored', 'invalid_request_error: The sandbox was told to find this request invalid.', NULL, 'msgbatch_010d6eb6e33c98ed80d77c09', NULL),
(3, 1, '2026-11-30 05:40:56.869321+00', 22800, 45600, 6, 0, 0, 0, 90, 0, 1, true, false, true, 'batch', NULL, NULL, 'claude-haiku-5-5', 'msgbatch_010d6eb6e33c98ed80d77c09', '{"model":"claude-haiku-5-5","id":"msg_010d6eb6e33c98ed80d77c09000002","type":"message","role":"assistant","content":[{"type":"text","text":"Made-up sandbox answer about: A pot. Nothing here was written by a model: the sandbox made it up from the request, the same way every time, so that a program can be tried without a key and without cost. Nothing here was written by a model: the sandbox made it up from the request, the same way every time, so that a program can be tried without a key and witho","citations":null}],"stop_reason":"end_turn","stop_sequence":null,"stop_details":null,"container":null,"usage":{"input_tokens":6,"cache_creation_input_tokens":0,"cache_read_input_tokens":0,"cache_creation":{"ephemeral_5m_input_tokens":0,"ephemeral_1h_input_tokens":0},"output_tokens":90,"output_tokens_details":{"thinking_tokens":0},"server_tool_use":null,"service_tier":"batch","inference_geo":"global"}}'),
(1, 1, '2026-11-30 05:40:56.869321+00', 20800, 41600, 6, 0, 0, 0, 82, 0, 1, true, false, true, 'batch', NULL, NULL, 'claude-haiku-5-5', 'msgbatch_010d6eb6e33c98ed80d77c09', '{"model":"claude-haiku-5-5","id":"msg_010d6eb6e33c98ed80d77c09000000","type":"message","role":"assistant","content":[{"type":"text","text":"Made-up sandbox answer about: A kettle. Nothing here was written by a model: the sandbox made it up from the request, the same way every time, so that a program can be tried without a key and without cost. Nothing here was written by a model: the sandbox made it up from the request, the same way every time, so that a program ","citations":null}],"stop_reason":"end_turn","stop_sequence":null,"stop_details":null,"container":null,"usage":{"input_tokens":6,"cache_creation_input_tokens":0,"cache_read_input_tokens":0,"cache_creation":{"ephemeral_5m_input_tokens":0,"ephemeral_1h_input_tokens":0},"output_tokens":82,"output_tokens_details":{"thinking_tokens":0},"server_tool_use":null,"service_tier":"batch","inference_geo":"global"}}'),
(6, 1, '2026-11-30 05:40:56.869321+00', 550, 1100, 6, 0, 0, 0, 1, 0, 1, false, false, true, 'batch', 'refused', 'cyber: Made up: the sandbox was told to refuse this request.', 'claude-haiku-5-5', 'msgbatch_010d6eb6e33c98ed80d77c09', '{"model":"claude-haiku-5-5","id":"msg_010d6eb6e33c98ed80d77c09000005","type":"message","role":"assistant","content":[],"stop_reason":"refusal","stop_sequence":null,"stop_details":{"type":"refusal","category":"cyber","explanation":"Made up: the sandbox was told to refuse this request."},"container":null,"usage":{"input_tokens":6,"cache_creation_input_tokens":0,"cache_read_input_tokens":0,"cache_creation":{"ephemeral_5m_input_tokens":0,"ephemeral_1h_input_tokens":0},"output_tokens":1,"output_tokens_details":{"thinking_tokens":0},"server_tool_use":null,"service_tier":"batch","inference_geo":"global"}}'),
(4, 1, '2026-11-30 05:40:56.869321+00', 19800, 39600, 6, 0, 0, 0, 78, 0, 1, true, false, true, 'batch', NULL, NULL, 'claude-haiku-5-5', 'msgbatch_010d6eb6e33c98ed80d77c09', '{"model":"claude-haiku-5-5","id":"msg_010d6eb6e33c98ed80d77c09000003","type":"message","role":"assistant","content":[{"type":"text","text":"Made-up sandbox answer about: A cup. Nothing here was written by a model: the sandbox made it up from the request, the same way every time, so that a program can be tried without a key and without cost. Nothing here was written by a model: the sandbox made it up from the request, the same way every time, so ","citations":null}],"stop_reason":"end_turn","stop_sequence":null,"stop_details":null,"container":null,"usage":{"input_tokens":6,"cache_creation_input_tokens":0,"cache_read_input_tokens":0,"cache_creation":{"ephemeral_5m_input_tokens":0,"ephemeral_1h_input_tokens":0},"output_tokens":78,"output_tokens_details":{"thinking_tokens":0},"server_tool_use":null,"service_tier":"batch","inference_geo":"global"}}'),
(2, 1, '2026-11-30 05:40:56.869321+00', 21300, 42600, 6, 0, 0, 0, 84, 0, 1, true, false, true, 'batch', NULL, NULL, 'claude-haiku-5-5', 'msgbatch_010d6eb6e33c98ed80d77c09', '{"model":"claude-haiku-5-5","id":"msg_010d6eb6e33c98ed80d77c09000001","type":"message","role":"assistant","content":[{"type":"text","text":"Made-up sandbox answer about: A pan. Nothing here was written by a model: the sandbox made it up from the request, the same way every time, so that a program can be tried without a key and without cost. Nothing here was written by a model: the sandbox made it up from the request, the same way every time, so that a program can be tri","citations":null}],"stop_reason":"end_turn","stop_sequence":null,"stop_details":null,"container":null,"usage":{"input_tokens":6,"cache_creation_input_tokens":0,"cache_read_input_tokens":0,"cache_creation":{"ephemeral_5m_input_tokens":0,"ephemeral_1h_input_tokens":0},"output_tokens":84,"output_tokens_details":{"thinking_tokens":0},"server_tool_use":null,"service_tier":"batch","inference_geo":"global"}}'),
(7, 1, '2026-11-30 05:40:56.869321+00', 28150, 56300, 8, 0, 0, 0, 111, 0, 1, true, false, true, 'batch', NULL, NULL, 'claude-haiku-5-5', 'msgbatch_010d6eb6e33c98ed80d77c09', '{"model":"claude-haiku-5-5","id":"msg_010d6eb6e33c98ed80d77c09000006","type":"message","role":"assistant","content":[{"type":"text","text":"Made-up sandbox answer about: To be canceled. Nothing here was written by a model: the sandbox made it up from the request, the same way every time, so that a program can be tried without a key and without cost. Nothing here was written by a model: the sandbox made it up from the request, the same way every time, so that a program can be tried without a key and without cost. Nothing here was written by a model: the sandbox made it up from ","citations":null}],"stop_reason":"end_turn","stop_sequence":null,"stop_details":null,"container":null,"usage":{"input_tokens":8,"cache_creation_input_tokens":0,"cache_read_input_tokens":0,"cache_creation":{"ephemeral_5m_input_tokens":0,"ephemeral_1h_input_tokens":0},"output_tokens":111,"output_tokens_details":{"thinking_tokens":0},"server_tool_use":null,"service_tier":"batch","inference_geo":"global"}}'),
(9, NULL, '2026-11-30 05:40:57.234935+00', 0, 0, 0, 0, 0, 0, 0, 0, 1, false, false, false, 'batch', 'rejected', '400 invalid_request_error: requests.0: the sandbox was told to reject this request', NULL, NULL, NULL),
(8, 3, '2026-11-30 05:40:57.355779+00', 26550, 53100, 6, 0, 0, 0, 105, 0, 1, true, false, true, 'batch', NULL, NULL, 'claude-haiku-5-5', 'msgbatch_018dd05b4e137bec845ab2f9', '{"model":"claude-haiku-5-5","id":"msg_018dd05b4e137bec845ab2f9000000","type":"message","role":"assistant","content":[{"type":"text","text":"Made-up sandbox answer about: A fork. Nothing here was written by a model: the sandbox made it up from the request, the same way every time, so that a program can be tried without a key and without cost. Nothing here was written by a model: the sandbox made it up from the request, the same way every time, so that a program can be tried without a key and without cost. Nothing here was written by a model: the sandbox","citations":null}],"stop_reason":"end_turn","stop_sequence":null,"stop_details":null,"container":null,"usage":{"input_tokens":6,"cache_creation_input_tokens":0,"cache_read_input_tokens":0,"cache_creation":{"ephemeral_5m_input_tokens":0,"ephemeral_1h_input_tokens":0},"output_tokens":105,"output_tokens_details":{"thinking_tokens":0},"server_tool_use":null,"service_tier":"batch","inference_geo":"global"}}'),
(10, 6, '2026-11-30 05:40:58.001687+00', 59050, 118100, 6, 0, 0, 0, 235, 114, 1, true, false, true, 'batch', NULL, NULL, 'claude-haiku-5-5', 'msgbatch_017c6266b7b7dae74f3783d4', '{"model":"claude-haiku-5-5","id":"msg_017c6266b7b7dae74f3783d4000000","type":"message","role":"assistant","content":[{"type":"thinking","thinking":"","signature":"bWFkZSB1cCBieSB0aGUgc2FuZGJveAcf0084c3"},{"type":"text","text":"Made-up sandbox answer about: A plate. Nothing here was written by a model: the sandbox made it up from the request, the same way every time, so that a program can be tried without a key and without cost. Nothing here was written by a model: the sandbox made it up from the request, the same way every time, so that a program can be tried without a key and without cost. Nothing here was written by a model: the sandbox made it up from the request, the same way every time, so that a ","citations":null}],"stop_reason":"end_turn","stop_sequence":null,"stop_details":null,"container":null,"usage":{"input_tokens":6,"cache_creation_input_tokens":0,"cache_read_input_tokens":0,"cache_creation":{"ephemeral_5m_input_tokens":0,"ephemeral_1h_input_tokens":0},"output_tokens":235,"output_tokens_details":{"thinking_tokens":114},"server_tool_use":null,"service_tier":"batch","inference_geo":"global"}}'),
(11, NULL, '2026-11-30 05:40:58.062447+00', 0, 0, 0, 0, 0, 0, 0, 0, 0, false, true, false, 'batch', 'canceled', 'taken back before it was sent', NULL, NULL, NULL);
INSERT INTO request (item_id, receipt, key, tenant, trace_id, callback, params, enqueued_at, cut_from_tokens, cut_to_tokens) VALUES
(1, 'd7ee5be1-9d54-4243-a093-cea7f7d82909', 'delivered', 'acme', NULL, '{"task":"shop.save","queue":"shop"}', '{"model":"claude-haiku-5-5","max_tokens":256,"messages":[{"role":"user","content":"A kettle"}]}', '2026-11-30 05:40:48.656761+00', NULL, NULL),
(2, '4356a355-0527-4133-8a35-72b2043cda40', 'awaiting', NULL, NULL, '{"task":"shop.save","queue":"shop","ack":true}', '{"model":"claude-haiku-5-5","max_tokens":256,"messages":[{"role":"user","content":"A pan"}]}', '2026-11-30 05:40:48.656761+00', NULL, NULL),
(3, 'e63f2b00-73bb-4939-8192-9a579180dea0', 'dead', NULL, NULL, '{"task":"shop.save","queue":"shop"}', '{"model":"claude-haiku-5-5","max_tokens":256,"messages":[{"role":"user","content":"A pot"}]}', '2026-11-30 05:40:48.656761+00', NULL, NULL),
(4, 'f4cd9208-e774-41c7-b332-6be6ac159311', 'due', NULL, NULL, '{"task":"shop.save","queue":"shop"}', '{"model":"claude-haiku-5-5","max_tokens":256,"messages":[{"role":"user","content":"A cup"}]}', '2026-11-30 05:40:48.656761+00', NULL, NULL),
(5, '1e23609f-8430-4e3d-a6ff-c1935cd35f80', 'failed', NULL, NULL, '{"task":"shop.save","queue":"shop"}', '{"model":"claude-haiku-5-5","max_tokens":256,"messages":[{"role":"user","content":"A lid"}],"metadata":{"user_id":"sandbox:errored:invalid_request_error"}}', '2026-11-30 05:40:48.656761+00', NULL, NULL),
(6, 'c02aae74-97d6-483f-8ea2-e68c8c6cb308', 'refused', NULL, NULL, NULL, '{"model":"claude-haiku-5-5","max_tokens":256,"messages":[{"role":"user","content":"A knife"}],"metadata":{"user_id":"sandbox:refused"}}', '2026-11-30 05:40:48.656761+00', NULL, NULL),
(7, '8a928000-cb63-47e4-ba3d-c36717a30bc5', 'fresh', NULL, NULL, NULL, '{"model":"claude-haiku-5-5","max_tokens":256,"messages":[{"role":"user","content":"To be canceled"}]}', '2026-11-30 05:40:48.785866+00', NULL, NULL),
(8, '4cfcbf61-7b72-4cc5-9ace-1c1e64ce6925', 'good half', NULL, NULL, NULL, '{"model":"claude-haiku-5-5","max_tokens":256,"messages":[{"role":"user","content":"A fork"}]}', '2026-11-30 05:40:56.972532+00', NULL, NULL),
(9, 'c9ecd42e-b240-4928-a643-dd608e6bf17b', 'bad half', NULL, NULL, NULL, '{"model":"claude-haiku-5-5","max_tokens":256,"messages":[{"role":"user","content":"A spoon"}],"metadata":{"user_id":"sandbox:reject"}}', '2026-11-30 05:40:56.972532+00', NULL, NULL),
(10, '9818cdd7-3253-4052-8637-eccd59414073', 'lost, sent again', NULL, NULL, NULL, '{"model":"claude-haiku-5-5","max_tokens":256,"messages":[{"role":"user","content":"A plate"}]}', '2026-11-30 05:40:57.590009+00', NULL, NULL),
(11, '9e1567e5-2ebd-46b7-bfde-568f6cdf7306', 'canceled', NULL, NULL, NULL, '{"model":"claude-haiku-5-5","max_tokens":256,"messages":[{"role":"user","content":"A bowl"}]}', '2026-11-30 05:40:58.045673+00', NULL, NULL),
(12, 'c0cd0795-787d-45ba-bcf4-c9999a41cbe2', 'before', NULL, NULL, NULL, '{"model":"claude-haiku-5-5","max_tokens":256,"messages":[{"role":"user","content":"A bin"}]}', '2026-11-30 05:40:58.080365+00', NULL, NULL),
(13, '7a36fb25-e43c-46ea-b363-bb67dcf24045', 'held', NULL, NULL, NULL, '{"model":"claude-haiku-5-5","max_tokens":256,"messages":[{"role":"user","content":"A jug"}]}', '2026-11-30 05:40:58.20894+00', NULL, NULL),
(14, 'cad418ea-e17f-466a-951b-b8075a58d336', 'ended', NULL, NULL, NULL, '{"model":"claude-haiku-5-5","max_tokens":256,"messages":[{"role":"user","content":"A tray"}]}', '2026-11-30 05:40:58.315369+00', NULL, NULL),
(15, 'df7be4d8-b64c-41ff-a96a-f02286293baa', 'incomplete', NULL, NULL, NULL, '{"model":"claude-haiku-5-5","max_tokens":256,"messages":[{"role":"user","content":"A dish"}]}', '2026-11-30 05:40:58.484792+00', NULL, NULL),
(16, '3eccd74f-07ba-4b38-a0c7-d89d688d8aa2', 'open', NULL, NULL, '{"task":"shop.save","queue":"shop"}', '{"model":"claude-haiku-5-5","max_tokens":256,"messages":[{"role":"user","content":"A mug"}]}', '2026-11-30 05:40:58.76502+00', NULL, NULL),
(17, '328944b3-3c67-4ac3-9af2-4c833c535d5c', 'canceling', NULL, NULL, '{"task":"shop.save","queue":"shop"}', '{"model":"claude-haiku-5-5","max_tokens":256,"messages":[{"role":"user","content":"A wok"}]}', '2026-11-30 05:40:58.959866+00', NULL, NULL),
(18, '0bc51243-55de-4678-8eb5-aa88bd693659', 'unclear', NULL, NULL, NULL, '{"model":"claude-haiku-5-5","max_tokens":256,"messages":[{"role":"user","content":"A vase"}]}', '2026-11-30 05:40:59.118194+00', NULL, NULL),
(19, 'd07a047f-7e6c-427d-8abc-7f44e76fb356', 'claimed', NULL, NULL, NULL, '{"model":"claude-haiku-5-5","max_tokens":256,"messages":[{"role":"user","content":"A ladle"}]}', '2026-11-30 05:40:59.31839+00', NULL, NULL),
(20, '86c259bb-9712-4e43-9538-aca3b650f82c', 'sending', NULL, NULL, NULL, '{"model":"claude-haiku-5-5","max_tokens":256,"messages":[{"role":"user","content":"A sieve"}]}', '2026-11-30 05:40:59.404677+00', NULL, NULL),
(21, '2256f15b-1a01-4c1a-a4ef-2a2c544b1edc', 'packed', NULL, NULL, NULL, '{"model":"claude-haiku-5-5","max_tokens":256,"messages":[{"role":"user","content":"A whisk"}]}', '2026-11-30 05:40:59.507447+00', NULL, NULL),
(22, '497cc0ed-8fff-4726-8607-cdecce4991eb', 'waiting', NULL, NULL, '{"task":"shop.save","queue":"shop"}', '{"model":"claude-haiku-5-5","max_tokens":256,"messages":[{"role":"user","content":"A grater"}]}', '2026-11-30 05:40:59.583026+00', NULL, NULL),
(23, '8d6c5dd8-a93f-45cf-a76f-bc9819bb0f2e', 'waiting tenant', 'acme', NULL, NULL, '{"model":"claude-haiku-5-5","max_tokens":256,"messages":[{"role":"user","content":"A peeler"}]}', '2026-11-30 05:40:59.583026+00', NULL, NULL);
INSERT INTO shape (id, hash, passed_at) VALUES
(1, '\x3aa0755433591cc81054bc6a0d26d730', '2026-11-30 05:40:56.680406+00');
INSERT INTO submission (id, batch_id, token, state, items, owner, claimed_at, lease_until, let_go_at, send_by, quiet_after, api_workspace_id, api_id, api_created_at, api_expires_at, cancel_asked_at, remembered, ended_at, counts, reads, misses, next_read_at, error) OVERRIDING SYSTEM VALUE VALUES
(5, 5, 'J8_Sh7jILhBwpbwg-zr_', 'lost', 1, 1428257159, '2026-11-30 05:40:57.666646+00', NULL, '2026-11-30 05:40:57.692265+00', '2026-11-30 05:40:57.707229+00', '2026-11-30 05:40:57.707229+00', 'wrkspc_sandbox_t56bf0a473aef', NULL, NULL, NULL, NULL, false, NULL, NULL, 0, 0, NULL, 'no list that counts shows it'),
(9, 10, 'Wj5NEHbxUprWIYxlT2LU', 'open', 1, 1428257159, '2026-11-30 05:40:58.83868+00', NULL, '2026-11-30 05:40:58.883899+00', '2026-11-30 05:41:18.876976+00', '2026-11-30 05:41:29.876977+00', 'wrkspc_sandbox_t56bf0a473aef', 'msgbatch_01826d28ce3ae625fd25e40d', '2026-11-30 05:40:58.892256+00', '2026-12-01 05:40:58.892256+00', NULL, false, NULL, NULL, 0, 0, NULL, NULL),
(1, 1, 'xIHAqZhakLBK_yX8dkyQ', 'done', 7, 1428257159, '2026-11-30 05:40:48.995148+00', NULL, '2026-11-30 05:40:56.694938+00', '2026-11-30 05:41:16.687891+00', '2026-11-30 05:41:27.687892+00', 'wrkspc_sandbox_t56bf0a473aef', 'msgbatch_010d6eb6e33c98ed80d77c09', '2026-11-30 05:40:56.707051+00', '2026-12-01 05:40:56.707051+00', NULL, false, '2026-11-30 05:40:56.707051+00', '{"processing": 0, "succeeded": 6, "errored": 1, "canceled": 0, "expired": 0}', 1, 0, NULL, NULL),
(2, 2, 'LAlbvEh3zW_M6i0BRhcZ', 'void', 2, 1428257159, '2026-11-30 05:40:57.038991+00', NULL, '2026-11-30 05:40:57.06832+00', '2026-11-30 05:41:17.062854+00', '2026-11-30 05:41:28.062854+00', 'wrkspc_sandbox_t56bf0a473aef', NULL, NULL, NULL, NULL, false, NULL, NULL, 0, 0, NULL, '400 invalid_request_error: requests.1: the sandbox was told to reject this request'),
(6, 5, '2On3ZkTFKw2KdpFFmFf0', 'done', 1, 1428257159, '2026-11-30 05:40:57.839171+00', NULL, '2026-11-30 05:40:57.87616+00', '2026-11-30 05:41:17.868385+00', '2026-11-30 05:41:28.868386+00', 'wrkspc_sandbox_t56bf0a473aef', 'msgbatch_017c6266b7b7dae74f3783d4', '2026-11-30 05:40:57.884761+00', '2026-12-01 05:40:57.884761+00', NULL, false, '2026-11-30 05:40:57.884761+00', '{"processing": 0, "succeeded": 1, "errored": 0, "canceled": 0, "expired": 0}', 1, 0, NULL, NULL),
(4, 4, 'jjQ3W_4WR-SUoK4tWo5y', 'void', 1, 1428257159, '2026-11-30 05:40:57.184534+00', NULL, '2026-11-30 05:40:57.208958+00', '2026-11-30 05:41:17.203342+00', '2026-11-30 05:41:28.203343+00', 'wrkspc_sandbox_t56bf0a473aef', NULL, NULL, NULL, NULL, false, NULL, NULL, 0, 0, NULL, '400 invalid_request_error: requests.0: the sandbox was told to reject this request'),
(3, 3, 'HJt2S3l_mS9Zk4kpZhKV', 'done', 1, 1428257159, '2026-11-30 05:40:57.137194+00', NULL, '2026-11-30 05:40:57.164412+00', '2026-11-30 05:41:17.158855+00', '2026-11-30 05:41:28.158856+00', 'wrkspc_sandbox_t56bf0a473aef', 'msgbatch_018dd05b4e137bec845ab2f9', '2026-11-30 05:40:57.165497+00', '2026-12-01 05:40:57.165497+00', NULL, false, '2026-11-30 05:40:57.165497+00', '{"processing": 0, "succeeded": 1, "errored": 0, "canceled": 0, "expired": 0}', 1, 0, NULL, NULL),
(10, 11, '6Ex8yiQvoNPXOB7Ovo27', 'open', 1, 1428257159, '2026-11-30 05:40:59.030434+00', NULL, '2026-11-30 05:40:59.090531+00', '2026-11-30 05:41:19.083627+00', '2026-11-30 05:41:30.083628+00', 'wrkspc_sandbox_t56bf0a473aef', 'msgbatch_01d852970e1cc367df60525c', '2026-11-30 05:40:59.091811+00', '2026-12-01 05:40:59.091811+00', NULL, false, NULL, NULL, 0, 0, NULL, NULL),
(8, 9, 'gyEn0KMJvoO2S-ZBM7Rh', 'open', 1, 1428257159, '2026-11-30 05:40:58.559141+00', NULL, '2026-11-30 05:40:58.623948+00', '2026-11-30 05:41:18.616718+00', '2026-11-30 05:41:29.616719+00', 'wrkspc_sandbox_t56bf0a473aef', 'msgbatch_01d35b579dca05c8c704395e', '2026-11-30 05:40:58.635894+00', '2026-12-01 05:40:58.635894+00', NULL, false, '2026-11-30 05:40:58.635894+00', '{"processing": 0, "succeeded": 1, "errored": 0, "canceled": 0, "expired": 0}', 0, 0, NULL, NULL),
(7, 8, 'KAbsrS5A6rNqKdtTdnml', 'open', 1, 1428257159, '2026-11-30 05:40:58.371019+00', NULL, '2026-11-30 05:40:58.427759+00', '2026-11-30 05:41:18.425065+00', '2026-11-30 05:41:29.425066+00', 'wrkspc_sandbox_t56bf0a473aef', 'msgbatch_0154a21f85b5cf8b5ba351c3', '2026-11-30 05:40:58.433284+00', '2026-12-01 05:40:58.433284+00', NULL, false, '2026-11-30 05:40:58.433284+00', '{"processing": 0, "succeeded": 1, "errored": 0, "canceled": 0, "expired": 0}', 0, 0, NULL, NULL),
(11, 12, 'CRu36PF-xO6rpDxaJB5U', 'unclear', 1, 1428257159, '2026-11-30 05:40:59.196702+00', NULL, '2026-11-30 05:40:59.259988+00', '2026-11-30 05:41:19.254103+00', '2026-11-30 05:41:30.254103+00', 'wrkspc_sandbox_t56bf0a473aef', NULL, NULL, NULL, NULL, false, NULL, NULL, 0, 0, NULL, 'RemoteProtocolError: Server disconnected without sending a response.'),
(12, 13, 'RMqZIw8iC4LqkhHSOsnO', 'claimed', NULL, 1428257159, '2026-11-30 05:40:59.384192+00', '2026-11-30 05:41:59.384192+00', NULL, NULL, NULL, 'wrkspc_sandbox_t56bf0a473aef', NULL, NULL, NULL, NULL, false, NULL, NULL, 0, 0, NULL, NULL),
(13, 14, 'G84xrbTslSlXBaYTdba_', 'sending', 1, 1428257159, '2026-11-30 05:40:59.471505+00', NULL, NULL, '2026-11-30 05:41:19.488371+00', '2026-11-30 05:41:24.488371+00', 'wrkspc_sandbox_t56bf0a473aef', NULL, NULL, NULL, NULL, false, NULL, NULL, 0, 0, NULL, NULL);
INSERT INTO spending (id, submission_id, lane_id, tenant_id, run_id, model, answers, paid_twice, unpriced, cost_nano, realtime_nano, input_tokens, cache_write_5m_tokens, cache_write_1h_tokens, cache_read_tokens, output_tokens, thinking_tokens, thinking_nano, at) OVERRIDING SYSTEM VALUE VALUES
(1, 1, 1, NULL, 1, 'claude-haiku-5-5', 4, 0, 0, 64450, 128900, 24, 0, 0, 0, 253, 0, 0, '2026-11-30 05:40:56.869321+00'),
(2, 1, 1, 1, 1, 'claude-haiku-5-5', 1, 0, 0, 20800, 41600, 6, 0, 0, 0, 82, 0, 0, '2026-11-30 05:40:56.869321+00'),
(3, 1, 1, NULL, NULL, 'claude-haiku-5-5', 1, 0, 0, 28150, 56300, 8, 0, 0, 0, 111, 0, 0, '2026-11-30 05:40:56.869321+00'),
(4, 3, 1, NULL, NULL, 'claude-haiku-5-5', 1, 0, 0, 26550, 53100, 6, 0, 0, 0, 105, 0, 0, '2026-11-30 05:40:57.355779+00'),
(5, 6, 1, NULL, NULL, 'claude-haiku-5-5', 1, 0, 0, 59050, 118100, 6, 0, 0, 0, 235, 114, 28500, '2026-11-30 05:40:58.001687+00');
INSERT INTO tally (id, noun, lane_id, run_id, headers_id, state, n, bytes) OVERRIDING SYSTEM VALUE VALUES
(1, 'item', 1, 1, 1, 'waiting', 6, 661),
(2, 'item', 1, NULL, 1, 'waiting', 1, 101),
(3, 'item', 1, 1, 1, 'waiting', -6, -661),
(4, 'item', 1, NULL, 1, 'waiting', -1, -101),
(5, 'item', 1, 1, 1, 'batched', 6, 661),
(6, 'item', 1, NULL, 1, 'batched', 1, 101),
(7, 'item', 1, 1, 1, 'succeeded', 4, 371),
(8, 'item', 1, 1, 1, 'batched', -4, -371),
(9, 'item', 1, NULL, 1, 'succeeded', 1, 101),
(10, 'item', 1, NULL, 1, 'batched', -1, -101),
(11, 'item', 1, 1, 1, 'failed', 1, 135),
(12, 'item', 1, 1, 1, 'batched', -1, -135),
(13, 'item', 1, 1, 1, 'failed', 1, 155),
(14, 'item', 1, 1, 1, 'batched', -1, -155),
(15, 'delivery', 1, NULL, NULL, 'sending', 5, 0),
(16, 'delivery', 1, NULL, NULL, 'sending', -1, 0),
(17, 'delivery', 1, NULL, NULL, 'awaiting_ack', 1, 0),
(18, 'delivery', 1, NULL, NULL, 'delivered', 4, 0),
(19, 'delivery', 1, NULL, NULL, 'sending', -4, 0),
(20, 'item', 1, NULL, 1, 'waiting', 2, 227),
(21, 'item', 1, NULL, 1, 'waiting', -2, -227),
(22, 'item', 1, NULL, 1, 'batched', 2, 227),
(23, 'item', 1, NULL, 1, 'failed', 1, 134),
(24, 'item', 1, NULL, 1, 'batched', -1, -134),
(25, 'item', 1, NULL, 1, 'succeeded', 1, 93),
(26, 'item', 1, NULL, 1, 'batched', -1, -93),
(27, 'item', 1, NULL, 1, 'waiting', 1, 94),
(28, 'item', 1, NULL, 1, 'waiting', -1, -94),
(29, 'item', 1, NULL, 1, 'batched', 1, 94),
(30, 'item', 1, NULL, 1, 'succeeded', 1, 94),
(31, 'item', 1, NULL, 1, 'batched', -1, -94),
(32, 'item', 1, NULL, 1, 'waiting', 1, 93),
(33, 'item', 1, NULL, 1, 'canceled', 1, 93),
(34, 'item', 1, NULL, 1, 'waiting', -1, -93),
(35, 'item', 2, NULL, 1, 'waiting', 1, 92),
(36, 'item', 2, NULL, 1, 'waiting', -1, -92),
(37, 'item', 2, NULL, 1, 'held', 1, 92),
(38, 'item', 2, NULL, 1, 'waiting', 1, 92),
(39, 'item', 2, NULL, 1, 'waiting', -1, -92),
(40, 'item', 2, NULL, 1, 'held', 1, 92),
(41, 'item', 1, NULL, 1, 'waiting', 1, 93),
(42, 'item', 1, NULL, 1, 'waiting', -1, -93),
(43, 'item', 1, NULL, 1, 'batched', 1, 93),
(44, 'item', 1, NULL, 1, 'waiting', 1, 93),
(45, 'item', 1, NULL, 1, 'waiting', -1, -93),
(46, 'item', 1, NULL, 1, 'batched', 1, 93),
(47, 'item', 1, NULL, 1, 'waiting', 1, 92),
(48, 'item', 1, NULL, 1, 'waiting', -1, -92),
(49, 'item', 1, NULL, 1, 'batched', 1, 92),
(50, 'item', 1, NULL, 1, 'waiting', 1, 92),
(51, 'item', 1, NULL, 1, 'waiting', -1, -92),
(52, 'item', 1, NULL, 1, 'batched', 1, 92),
(53, 'item', 1, NULL, 1, 'waiting', 1, 93),
(54, 'item', 1, NULL, 1, 'waiting', -1, -93),
(55, 'item', 1, NULL, 1, 'batched', 1, 93),
(56, 'item', 1, NULL, 1, 'waiting', 1, 94),
(57, 'item', 1, NULL, 1, 'waiting', -1, -94),
(58, 'item', 1, NULL, 1, 'batched', 1, 94),
(59, 'item', 1, NULL, 1, 'waiting', 1, 94),
(60, 'item', 1, NULL, 1, 'waiting', -1, -94),
(61, 'item', 1, NULL, 1, 'batched', 1, 94),
(62, 'item', 1, NULL, 1, 'waiting', 1, 94),
(63, 'item', 1, NULL, 1, 'waiting', -1, -94),
(64, 'item', 1, NULL, 1, 'batched', 1, 94),
(65, 'item', 1, 2, 1, 'waiting', 2, 190),
(66, 'delivery', 1, NULL, NULL, 'delivered', -1, 0),
(67, 'delivery', 1, NULL, NULL, 'dead', 1, 0),
(68, 'delivery', 1, NULL, NULL, 'delivered', -1, 0),
(69, 'delivery', 1, NULL, NULL, 'due', 1, 0);
INSERT INTO target (id, broker, queue) VALUES
(1, '', 'shop');
INSERT INTO workspace (name, api_workspace_id, held_at, held_reason, holds, not_before, looked_at) VALUES
('default', 'wrkspc_sandbox_t56bf0a473aef', NULL, NULL, 0, NULL, NULL);
SELECT pg_catalog.setval('batch_id_seq', 15, true);
SELECT pg_catalog.setval('booking_id_seq', 1, false);
SELECT pg_catalog.setval('budget_id_seq', 2, true);
SELECT pg_catalog.setval('headers_id_seq', 1, true);
SELECT pg_catalog.setval('item_id', 23, true);
SELECT pg_catalog.setval('lane_id_seq', 2, true);
SELECT pg_catalog.setval('model_id_seq', 1, true);
SELECT pg_catalog.setval('output_schema_id_seq', 1, false);
SELECT pg_catalog.setval('plan_id_seq', 1, false);
SELECT pg_catalog.setval('prefix_id_seq', 1, false);
SELECT pg_catalog.setval('run_id_seq', 2, true);
SELECT pg_catalog.setval('shape_id_seq', 1, true);
SELECT pg_catalog.setval('spending_id_seq', 5, true);
SELECT pg_catalog.setval('submission_id_seq', 13, true);
SELECT pg_catalog.setval('tally_id_seq', 69, true);
SELECT pg_catalog.setval('target_id_seq', 1, true);
SELECT pg_catalog.setval('tenant_id_seq', 1, true);
