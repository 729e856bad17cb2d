import { conformance } from "./conformance.ts";
import { ACCOUNT, BUCKET, MACHINE, OPERATOR, REGION, runEndpoint, TOPIC } from "./running.ts";

conformance("the local endpoint answers as AWS does", async () => {
  const running = await runEndpoint();
  return {
    region: REGION,
    account: ACCOUNT,
    endpoint: running.url,
    credentials: OPERATOR,
    bucket: BUCKET,
    topicArn: TOPIC,
    stateMachineArn: MACHINE,
    close: running.stop,
  };
});
