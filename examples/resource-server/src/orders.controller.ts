import { Controller, Get } from '@nestjs/common';
import { Claims } from 'nestjs-kms-jwt';

@Controller('orders')
export class OrdersController {
  @Get()
  list(@Claims('sub') customer: string) {
    return { customer, orders: [{ id: 1, item: 'Analytical Engine' }] };
  }
}
